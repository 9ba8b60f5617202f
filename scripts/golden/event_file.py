#!/usr/bin/env python3
"""Writes Tests/TelemetryTests/Golden/events.tfevents with TensorBoard's own message classes and record writer
(pip install tensorboard), for EventFileTests: the same events at the same clock must give the same bytes."""
import os
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

path = os.path.join(os.path.dirname(__file__), "../../Tests/TelemetryTests/Golden/events.tfevents")
events = [
    event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000000.25, step=301,
                    session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
]
for step, scalars in [(301, [("train/loss", 1.93), ("train/learning_rate", 5e-4)]), (70000, [("evaluation/nll", -0.5)])]:
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=t, simple_value=v) for t, v in scalars])
    events.append(event_pb2.Event(wall_time=1700000000.25, step=step, summary=summary))
with open(path, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
