"""English for the Chinese texts of codes. The answers themselves keep the texts of the manual in every language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "ctyun-EOP: 生成签名时官网ak信息错误": "The AccessKey is unknown, disabled or of a suspended account",
        "ctyun-EOP: 签名错误": "The signature is wrong",
        "缺少appkey头": "The appkey header is missing",
        "无效的appkey": "The appkey is invalid",
        "不支持的请求类型": "This request method is not supported",
        "IP未被APP授权": "The address is not on the allow-list of the app",
        "IP未被API授权": "The address is not on the allow-list of the capability",
        "请求体接收超时": "The body took too long to arrive",
        "请求过于频繁，请稍后重试": "Too many requests; try again later",
        "服务内部错误": "Internal error",
        "服务未注册": "The service is not registered",
        "应用未开通": "The capability is not enabled in the app",
        "API中无效的URL请求": "No API has this URL",
        "上游服务连接失败，请稍后重试": "The upstream service cannot be reached; try again later",
        "服务繁忙，请稍后重试": "The service is busy; try again later",
        "上游服务响应超时，请稍后重试": "The upstream service took too long; try again later",
        "购买服务已过期": "The resource pack has expired",
        "收费API未购买": "No resource pack was bought for this API",
        "API可用次数已不足": "The units of the resource packs are used up",
        "请求路径错误": "Wrong path",
        "无效的请求路径，请确保请求路径正确": "Invalid path; check the path of the request",
        "请求方法错误": "Wrong request method",
        "请求方法错误，请使用 POST 请求": "Wrong request method; use POST",
        "请求方法错误，请使用POST请求": "Wrong request method; use POST",
        "请求体内容为空": "The body is empty",
        "body内容为空": "The body is empty",
        "请求体请求数据为空，没有包含内容": "The body has no content",
        "Body请求数据为空，没有包含内容": "The body has no content",
        "请求体非 json 格式": "The body is not JSON",
        "body请求体非json格式": "The body is not JSON",
        "请求体内容需要符合 json 要求": "The body must be JSON",
        "body内容需要符合json要求": "The body must be JSON",
        "请求JSON处理异常": "The JSON cannot be read",
        "请求体类型错误": "The body has the wrong type",
        "请求体需为字典，不能为其他类型": "The body must be an object",
        "body传入的不是字典": "The body is not an object",
        "body传入不是字典": "The body is not an object",
        "必传的参数未传": "A required parameter is missing",
        "必须的参数 (data) 未传": "The required parameter (data) is missing",
        "必须的参数 ('Action'、 'ImageData') 未传": "The required parameters ('Action', 'ImageData') are missing",
        "请求中未包data字段": "The request has no field data",
        "传递非法参数": "A parameter is not allowed",
        "body字典内有除 ('Action'、 'ImageData') 外的参数": "The body has parameters besides ('Action', 'ImageData')",
        "请求体的参数字段类型错误": "A parameter has the wrong type",
        "请求体的字段类型错误": "A field has the wrong type",
        "data 字段应该是 list 类型": "data must be a list",
        "data字段图片数据不是list格式": "The images in data are not a list",
        "请求体的字段 ('Action'、 'ImageData') 类型错误，类型只能为字符串，不能为其他类型": (
            "The fields ('Action', 'ImageData') must be strings"
        ),
        "请求体的参数字段值为空": "A parameter is empty",
        "data 列表为空": "The list data is empty",
        "图片list内图片数量为0": "The list has no image",
        "图片list内图片数量超过50张": "The list has more than 50 images",
        "超过个数限制": "Too many images",
        "data 超过个数限制，最多传 50 张图片": "data has too many images; the most is 50",
        "Action值设置错误": "The value of Action is wrong",
        "'ImageData'字段值为空字符": "'ImageData' is empty",
        "base64 数据处理异常": "The base64 text cannot be read",
        "base64数据处理异常": "The base64 text cannot be read",
        "data 字段的 base64 字符串转换字节码异常": "The base64 text of data cannot be decoded",
        "'ImageData'字段的base64字符串转换字节码异常": "The base64 text of 'ImageData' cannot be decoded",
        "'ImageData'字段base64数据处理异常": "The base64 text of 'ImageData' cannot be read",
        "文件格式不合法": "The file has an unsupported format",
        "请求文件格式不合法": "The file has an unsupported format",
        "仅支持 jpeg/png/jpg/bmp 格式": "Only jpeg, png, jpg and bmp are supported",
        "请求文件格式不合法，仅支持 jpeg/png/jpg/bmp 格式": "Only jpeg, png, jpg and bmp files are supported",
        "文件大小不符合要求": "The file is too large",
        "图片文件大小不符合要求": "The file is too large",
        "单张图片大小超过10M": "An image is larger than 10 MB",
        "该文件大小不符合要求，图片要求小于 10M": "The file is too large; an image must be smaller than 10 MB",
        "该文件大小不符合要求,静态图片要求小于7M": "The file is too large; an image must be smaller than 7 MB",
        "图片解码错误": "The image cannot be decoded",
        "字节码解码为图片错误": "The bytes are not a readable image",
        "图片尺寸不符合要求": "The image is too small or too large in pixels",
        "分辨率长宽尺寸应不高于 5000 不低于 32": "Each side must have 32 to 5000 pixels",
        "分辨率长宽尺寸应不高于5000不低于32": "Each side must have 32 to 5000 pixels",
        "图片尺寸不符合要求,分辨率长宽尺寸应不高于5000不低于32": "Each side of the image must have 32 to 5000 pixels",
        "图片尺寸不符合要求，分辨率长宽尺寸应小于5000大于32": (
            "Each side of the image must have more than 32 and fewer than 5000 pixels"
        ),
        "OCR服务接口异常，请联系管理员": "The OCR service failed; ask the administrator",
        "服务接口异常,请联系管理员": "The service failed; ask the administrator",
        "需要联系管理员处理": "Ask the administrator",
    }
)
"""Text of the manual → English. A test finds texts without one; those of other distributions stay as they are."""


def in_language(text: str, language: str) -> str:
    """A text of a code in the language of a page."""
    return ENGLISH.get(text, text) if language == "en" else text
