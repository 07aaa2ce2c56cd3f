"""The embedded model server: tensorflow_model_server's contract on TensorFlow's Python runtime.

Where it differs, knowingly:

* One scheduler, and one pool of batch threads, a version of a model; the real server has one for all of them.
* The shapes of a request must be those of the signature, with batching and without, and are compared before a tensor is
  allocated; there, whatever fits a kernel is computed. A tensor has at most 32 axes. --max_batch_rows bounds the rows
  of a request, 256 MiB (32 over REST) its answer, and --grpc_max_request_bytes what is read of it.
* A row out of the bounds that an export of ours carries is refused before its request joins a batch, and one that the
  model itself marks as not valid after it. A batch of another model that fails for the values of one request is run
  again request by request; there, all of it fails. Batched requests of no rows are refused.
* Pictures for an export of ours that enlarges them are decoded with Pillow before their request joins a batch
  (`picture_inputs`): WebP as well, which TensorFlow cannot decode, and a bad file is the error of its own request.
* A deadline ends the call, but not the batch that it shares with others; the runtime would fail these as well.
* Integers that their type cannot hold, keys that come twice in a JSON object, and bytes that are no message are refused
  with INVALID_ARGUMENT.
* `pad_variable_length_inputs` and ALTS are refused at the start. Flags of the C++ runtime (TFLite, TPU, thread pool
  factories, the profiler) are accepted and have no effect.
* The numbers of threads in --tensorflow_session_config_file stay where no flag gives another. There, the flags always
  replace both numbers, by 0 (TensorFlow chooses) where they are not given.
* Of batching's own metrics only queuing_latency is reported: the scheduler runs inside of TensorFlow. The gauge
  requests_in_flight is ours, and so are biggan_tf_build_info and what Prometheus calls process_*.
* There is no gRPC reflection, as there: a client that has no protos, such as grpcurl, is given a file of descriptors.
* Without batching, requests beyond four times --grpc_max_threads get UNAVAILABLE instead of waiting in a line.
* A SavedModel without its variables fails to load; the C++ loader may report it available.
* Classify, Regress: the error of a model that only predicts. MultiInference, SessionService, request logging,
  ProfilerService: not served.
* HandleReloadConfigRequest answers PERMISSION_DENIED unless the server was started with --enable_reload; there, every
  client may replace the models. (Not UNIMPLEMENTED: the method is there, and whoever started the server may allow it.)
* A config that is taken over later, by that method or from --model_config_file, is refused with INVALID_ARGUMENT if it
  lists no model or a base path that cannot be listed. There, an empty list unloads every model, and a missing path is
  waited for, past every deadline. At the start we wait for a missing path as well, as volumes may be mounted later, but
  not for what can never be listed: a file, a path with a zero byte, one without permission, gs:// and other URIs.
* A caller that waits for models of its config gets DEADLINE_EXCEEDED at its deadline, and ABORTED if another config
  leaves its models out. Four may wait at a time; others get RESOURCE_EXHAUSTED, with their config taken over.
* A base path that cannot be read does not keep the models that are listed after it from being looked at. What is wrong
  with a folder or a config file is logged once, and again after it was right.
* The name of a model has 1 to 200 characters that can be printed.
* A version that failed to load waits for its next try without a thread, so that others load meanwhile. It is LOADING,
  as there, and its status has the error of the last try.
* Requests for models that are not configured are counted under model_name="unknown", and labels are cut at 300
  characters; there, every name that a client sends stays in the metrics.
* At the end of a stop, sessions are closed under requests that have not ended.
* HTTP is stricter: what a proxy could read otherwise is refused, and heads, bodies and connections have limits
  (`http_protocol`). HEAD is answered as GET.
* --rest_api_num_threads has no effect: an event loop reads, and threads are as many as requests run. Nor has
  --num_unload_threads: two threads unload.
* Two flags with the same port, a port that is taken and a number out of its range are errors at the start.
* Each port has an address of its own (--host, --rest_api_host, --playground_host). TLS, tokens and a rate for each peer
  hold for REST and the page too (`access`).
* Health covers the full service names besides the short ones, and says NOT_SERVING while the server drains.
"""
