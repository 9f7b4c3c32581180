"""A handler that does what the event's `do` says."""

import ctypes
import os
import time
from pathlib import Path


def handler(event, context):
    match event.get("do"):
        case "raise":
            raise ValueError("as asked")
        case "exit":
            os._exit(7)
        case "crash":
            ctypes.string_at(0)
        case "sleep":
            if "touch" in event:
                Path(event["touch"]).touch()
            time.sleep(event["seconds"])
        case "print":
            print(event["text"])
        case "hang without answer":
            os.kill(os.getpid(), 19)
        case "large":
            return "x" * (7 * 1024 * 1024)
        case "context":
            return {
                "requestId": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "name": context.function_name,
                "version": context.function_version,
                "memory": context.memory_limit_in_mb,
                "remaining": context.get_remaining_time_in_millis(),
                "trace": os.environ.get("_X_AMZN_TRACE_ID"),
                "environment": dict(os.environ),
                "pid": os.getpid(),
            }
    return {"pid": os.getpid(), "got": len(event.get("padding", ""))}
