"""Argmax over the classes inside the graph of a recogniser.

A recogniser returns 18,710 probabilities per column; greedy decoding needs only the largest. Two nodes appended to the
output compute it on the device, so that on a GPU the probabilities are not copied to the host.

A model file is a protobuf message. Concatenated protobuf messages parse as one merged message with repeated fields
joined, so the nodes are added by appending bytes; only the name of the first output is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers of onnx.proto: ModelProto.graph, GraphProto.node and .output, ValueInfoProto.name, NodeProto's four,
# AttributeProto.name, .i and .type.
_GRAPH, _NODE, _OUTPUT, _NAME = 7, 1, 12, 1
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_INT, _ATTRIBUTE_TYPE, _INT = 3, 20, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types

CLASSES, SCORES = "best_class", "best_score"


def append_argmax_outputs(model: bytes) -> bytes:
    """The model with two more outputs, both (n, columns, 1): CLASSES (int64) and SCORES, the class's probability.

    Its first output must be (n, columns, classes). Raises ValueError when the bytes hold no output.
    """
    probabilities = _first_output_name(model)
    arg_max = _node("ArgMax", [probabilities], CLASSES, axis=2, keepdims=1)
    gather = _node("GatherElements", [probabilities, CLASSES.encode()], SCORES, axis=2)
    outputs = [_bytes_field(_OUTPUT, _bytes_field(_NAME, name.encode())) for name in (CLASSES, SCORES)]
    return model + _bytes_field(_GRAPH, b"".join([_bytes_field(_NODE, arg_max), _bytes_field(_NODE, gather), *outputs]))


def _first_output_name(model: bytes) -> bytes:
    """The name of a graph's first output."""
    for field, graph in _length_delimited_fields(memoryview(model)):
        if field == _GRAPH:
            for inner, output in _length_delimited_fields(graph):
                if inner == _OUTPUT:
                    return next(bytes(name) for number, name in _length_delimited_fields(output) if number == _NAME)
    raise ValueError("no output in the model's graph")


def _length_delimited_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each length-delimited field; fields of other wire types are skipped."""
    at = 0
    while at < len(message):
        key, at = _decode_varint(message, at)
        match key & 7:
            case wire if wire == _BYTES:
                length, at = _decode_varint(message, at)
                yield key >> 3, message[at : at + length]
                at += length
            case wire if wire == _VARINT:
                _, at = _decode_varint(message, at)
            case wire if wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            case wire:
                raise ValueError(f"not an ONNX file: wire type {wire}")


def _decode_varint(message: memoryview, at: int) -> tuple[int, int]:
    """The decoded value and the offset of the byte after it."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("not an ONNX file: it breaks off")


def _node(op: str, inputs: list[bytes], output: str, **attributes: int) -> bytes:
    parts = [_bytes_field(_NODE_INPUT, name) for name in inputs]
    parts += [_bytes_field(_NODE_OUTPUT, output.encode()), _bytes_field(_NODE_OP, op.encode())]
    parts += [_bytes_field(_NODE_ATTRIBUTE, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: int) -> bytes:
    return (
        _bytes_field(_NAME, name.encode()) + _varint_field(_ATTRIBUTE_INT, value) + _varint_field(_ATTRIBUTE_TYPE, _INT)
    )


def _bytes_field(number: int, content: bytes) -> bytes:
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(content)) + content


def _varint_field(number: int, value: int) -> bytes:
    return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
