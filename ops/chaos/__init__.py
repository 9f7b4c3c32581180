"""Faults on purpose: a whole pipeline under seeded faults, and the proof that nothing is lost.

```
faults           which faults there are, and a seeded plan of them
slow_source      readers who fill the cache late
wire             a proxy between the workers and one server, that misbehaves as told
framing          where a request or an answer ends: HTTP and Redis' protocol
refusals         what the servers say when they are overloaded
switchboard      the wires of all servers
processes        workers, servers and the pipeline killed and stopped
mapped           the pipeline as a process of its own
pipeline_process that process from outside: killed and started again
disk             a full disk under the checkpoints
deliveries       batches delivered again, and cut anew
inject           one fault of any kind, from its beginning to its end
recovery         how long each consumer took to catch up after a fault
run              puts them together: traffic, faults, drain, verify
report           what happened, as a table and as JSON
```
"""
