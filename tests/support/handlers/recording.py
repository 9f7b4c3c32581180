"""A handler that writes down what it is given, one line a batch, into the file RECORD_TO.

Each line: the eventIDs of the batch, in order, as they were given. A record whose new image has
a BOOL `poison` makes it report a failure from there on; `crash` ends the process, once per file
named so. It takes RECORD_AFTER seconds before it writes.
"""

import base64
import json
import os
import time
from pathlib import Path


def handler(event, context):
    seen = []
    failures = []
    for entry in event["Records"]:
        change = entry
        number = ""
        if entry["eventSource"] == "aws:kinesis":
            change = json.loads(base64.b64decode(entry["kinesis"]["data"]))
            number = entry["kinesis"]["sequenceNumber"]
        else:
            number = entry["dynamodb"]["SequenceNumber"]
        image = change["dynamodb"].get("NewImage", {})
        if "crash" in image:
            once = Path(os.environ["RECORD_TO"] + "." + image["crash"]["S"])
            if not once.exists():
                once.touch()
                os._exit(3)
        if image.get("poison", {}).get("BOOL"):
            failures.append({"itemIdentifier": number})
            break
        seen.append(
            {
                "key": change["dynamodb"]["Keys"]["PK"]["S"],
                "id": change["eventID"],
                "number": number,
                "version": image.get("version", {}).get("N"),
                "at": time.time(),
            }
        )
    time.sleep(float(os.environ.get("RECORD_AFTER", "0")))
    with Path(os.environ["RECORD_TO"]).open("a") as out:
        out.write(json.dumps(seen) + "\n")
    return {"batchItemFailures": failures}
