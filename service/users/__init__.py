"""Users 用户 of the console, their passwords and sessions.

An account 账号 is a customer and pays; a user works for one, or operates the installation.
"""
