"""Errors in the shape that OpenAI clients know."""

import json

from starlette.responses import Response

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "invalid_request_error",
}


def error_body(status: int, message: str) -> bytes:
    """`{"error": ...}` as JSON."""
    kind = _TYPES.get(status, "server_error")
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": status}}).encode()


def error_response(status: int, message: str) -> Response:
    """An answer that says what is wrong; on 503 it asks to try again in a second."""
    headers = {"retry-after": "1"} if status == 503 else {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(error_body(status, message), status, headers, "application/json")


def error_event(message: str) -> bytes:
    """The last event of a stream that broke."""
    return b"data: " + error_body(502, message) + b"\n\n"
