"""Users 用户: the people who sign in to the console, their passwords and their sessions.

An account 账号 is a customer and pays; a user is somebody who works for one, or who operates the installation.
"""
