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
    "user.session_not_found": Message(
        Kind.NOT_FOUND,
        "no session {session}",
        "没有登录 {session}。",
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
        "the last operator who may sign in and can change users stays so; make or enable another one first",
        "这是最后一位可登录并能管理用户的运营人员，不能停用或改换角色，请先新建或恢复一位。",
    ),
    "user.role_invalid": Message(
        Kind.INVALID,
        "choose a role from {choices}",
        "角色可选：{choices}。",
    ),
    "user.duties_separate": Message(
        Kind.CONFLICT,
        "duties are separate: a user is a system administrator, a security administrator or an auditor",
        "已启用三员分立：角色只能是系统管理员、安全管理员或审计员。",
    ),
    "user.own_change": Message(
        Kind.CONFLICT,
        "a user cannot change the own role or state, or reset itself; another administrator can",
        "不能更改自己的角色或状态，也不能重置自己，请由其他管理员操作。",
    ),
    "user.too_many": Message(
        Kind.LIMIT,
        "an account has at most {most} users",
        "一个账号最多 {most} 个用户。",
    ),
    "account.too_many_subaccounts": Message(
        Kind.LIMIT,
        "a main account has at most {most} sub-accounts",
        "一个主账号最多 {most} 个子账号。",
    ),
    "factor.code_wrong": Message(
        Kind.INVALID,
        "this is not the code that the app shows now",
        "验证码不正确，请输入验证器应用当前显示的 6 位数字。",
    ),
    "factor.set_up_already": Message(
        Kind.CONFLICT,
        "two-step verification is on already",
        "已启用两步验证。",
    ),
    "factor.not_set_up": Message(
        Kind.CONFLICT,
        "this user has no two-step verification",
        "该用户未启用两步验证。",
    ),
    "factor.required": Message(
        Kind.CONFLICT,
        "this role needs two-step verification",
        "您的角色必须启用两步验证，不能关闭。",
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
    "password.too_few_classes": Message(
        Kind.INVALID,
        "a password needs at least {least} of: lower case, upper case, digits, other characters",
        "密码须至少包含小写字母、大写字母、数字、其他字符中的 {least} 种。",
    ),
    "password.used_before": Message(
        Kind.INVALID,
        "this password was used before; choose another one",
        "此密码曾用过，请换一个。",
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
    "form.too_long": Message(
        Kind.INVALID,
        "a field has more than {most} characters; nothing was saved",
        "有一项超过 {most} 个字符，没有保存。",
    ),
}
