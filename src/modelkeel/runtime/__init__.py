"""The prediction server (data plane): protocols, batching, loading, routing and the prediction log's writer.

It needs only `wire` and `core`, numpy, ONNX Runtime and uvicorn, and goes on when the control plane is down.
"""
