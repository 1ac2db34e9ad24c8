"""Messages about users of the console and their passwords."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "user.not_found": Message(
        Kind.NOT_FOUND,
        "no user {user_id}",
        "没有用户 {user_id}。",
    ),
    "user.login_taken": Message(
        Kind.CONFLICT,
        "there is a user {login!r} already",
        "登录名“{login}”已存在。",
    ),
    "user.login_invalid": Message(
        Kind.INVALID,
        "a login has 3 to 64 letters, digits, dots, @, hyphens or underscores",
        "登录名须为 3-64 位字母、数字或 . _ @ -。",
    ),
    "user.last_operator": Message(
        Kind.CONFLICT,
        "the last operator who may sign in is not disabled; make or enable another one first",
        "不能停用最后一位可登录的运营人员，请先新建或恢复一位。",
    ),
    "user.set_up_already": Message(
        Kind.CONFLICT,
        "this installation has been set up already",
        "本系统已完成初始化。",
    ),
    "password.length_out_of_range": Message(
        Kind.INVALID,
        "a password has {least} to {most} characters",
        "密码长度须为 {least}-{most} 位。",
    ),
    "password.too_simple": Message(
        Kind.INVALID,
        "this password is too easy to guess",
        "密码过于简单，请换一个。",
    ),
    "password.changed_meanwhile": Message(
        Kind.CONFLICT,
        "the password was changed meanwhile; sign in again",
        "密码已被他人修改，请重新登录。",
    ),
}
