"""The embedded model server: tensorflow_model_server's contract on TensorFlow's Python runtime.

Where it differs, knowingly:

* One scheduler, and one pool of batch threads, a version of a model; the real server has one for all of them.
* A batched request whose rows have another shape than the signature's is refused by itself; there, the whole batch
  fails. Requests of no rows are refused, too.
* `pad_variable_length_inputs` and ALTS are refused at the start. Flags of the C++ runtime (TFLite, TPU, thread pool
  factories, the profiler) are accepted and have no effect.
* Of batching's own metrics only queuing_latency is reported: the scheduler runs inside of TensorFlow. The gauge
  requests_in_flight is ours.
* Without batching, requests beyond four times --grpc_max_threads get UNAVAILABLE instead of waiting in a line.
* A SavedModel without its variables fails to load; the C++ loader may report it available.
* Classify, Regress: the error of a model that only predicts. MultiInference, SessionService, request logging,
  ProfilerService: not served. Chunked HTTP bodies are answered with 411.
* Health covers the full service names besides the short ones, and says NOT_SERVING while the server drains.
"""
