import { entries, type Entry } from "./Entry.ts"

const fails = "`:syntax-error` when it is written otherwise; `:unknown-capability` where the host does not have the capability."

/** Forms that stand for calls of stream capabilities. A program that defines such a name hides the form. */
export const streamFormEntries: ReadonlyArray<Entry> = entries("stream form", "Stream forms", [
  [
    "mcp-stream",
    "(mcp-stream endpoint config? processor initial-state?)",
    "Starts a stream of an MCP server. The processor, `(fn [state chunk metadata] …)`, is stored by name, so that a resumed stream finds it again.",
    fails,
    '(mcp-stream "weather" on-chunk) ⇝ (call :mcp.stream.start {:endpoint "weather" :processor "on-chunk" :initial-state {}})'
  ],
  [
    "stream-source",
    "(stream-source id {:config …}?)",
    "Starts a stream that a provider registered.",
    fails,
    '(stream-source "com.acme:v1:feed" {:config {:a 1}}) ⇝ (call :marketplace.stream.start {:id "com.acme:v1:feed" :config {:a 1}})'
  ],
  [
    "stream-consume",
    "(stream-consume handle {item => body…}) (stream-consume handle {:on-item function …} options?)",
    "Takes the items of a stream one after the other until it ends, or registers callbacks.",
    fails,
    "(stream-consume h {:on-item f :on-error g}) ⇝ (call :marketplace.stream.register-callbacks {:handle h :on-item f :on-error g})",
    "(stream-consume h {item => (println item)}) ⇝ (loop [] (let [next--1 (call :marketplace.stream.next {:handle h :timeout_ms 1000})] (case (:status next--1) :item (do (let [item (:item next--1)] (println item)) (recur)) :items (do (doseq [item (:items next--1)] (println item)) (recur)) :timeout (recur) :end nil :error (throw (:error next--1)))))"
  ],
  [
    "stream-sink",
    "(stream-sink id options?)",
    "Opens a sink that a provider registered.",
    fails,
    '(stream-sink "out") ⇝ (call :marketplace.stream.open-sink {:id "out"})'
  ],
  [
    "stream-produce",
    "(stream-produce handle item options?) (stream-produce handle :items items :options options)",
    "Sends an item, or several, into a sink.",
    fails,
    "(stream-produce h {:id 1}) ⇝ (call :marketplace.stream.send {:handle h :item {:id 1}})"
  ],
  [
    "stream-transform",
    "(stream-transform :input-stream in :output-stream out :transform-fn function :config map?) (stream-transform :fn function)",
    "Transforms one stream into another; the short form is a stage of `stream-pipeline`.",
    fails,
    "(stream-transform :input-stream a :output-stream b :transform-fn f) ⇝ (call :marketplace.stream.transform {:input-stream a :output-stream b :transform-fn f})"
  ],
  [
    "stream-bidirectional",
    "(stream-bidirectional id options?)",
    "Opens a stream that both takes and gives items.",
    fails,
    '(stream-bidirectional "chat") ⇝ (call :marketplace.stream.open-bidirectional {:id "chat"})'
  ],
  [
    "stream-interact",
    "(stream-interact handle :send message :receive {reply => body…}) (stream-interact handle :config map)",
    "Sends a message and takes the replies, or registers callbacks for both directions.",
    fails,
    "(stream-interact h :config {:on-receive f}) ⇝ (call :marketplace.stream.interact {:handle h :config {:on-receive f}})"
  ],
  [
    "stream-duplex",
    "(stream-duplex :input-capability a :output-capability b :config map?)",
    "Opens two capabilities as one stream.",
    fails,
    "(stream-duplex :input-capability a :output-capability b) ⇝ (call :marketplace.stream.open-duplex {:input-capability a :output-capability b})"
  ],
  [
    "stream-pipeline",
    "(stream-pipeline [stage…])",
    "A description of a pipeline, as a value; nothing runs.",
    fails,
    "(stream-pipeline [a b]) ⇝ {:type :stream-pipeline :stages [a b]}"
  ],
  [
    "stream-execute",
    "(stream-execute pipeline options?)",
    "Runs a described pipeline.",
    fails,
    "(stream-execute p {:on-pipeline-complete f}) ⇝ (call :marketplace.stream.execute {:pipeline p :on-pipeline-complete f})"
  ],
  [
    "stream-multiplex",
    "(stream-multiplex [handle…] options?)",
    "Several streams as one.",
    fails,
    "(stream-multiplex [a b] {:strategy :round-robin}) ⇝ (call :marketplace.stream.multiplex {:streams [a b] :strategy :round-robin})"
  ],
  [
    "stream-demultiplex",
    "(stream-demultiplex handle {:criteria function :outputs {key sink …}})",
    "Gives each item to the sink that the function names.",
    fails,
    "(stream-demultiplex h {:criteria f :outputs {:a s}}) ⇝ (call :marketplace.stream.demultiplex {:handle h :criteria f :outputs {:a s}})"
  ],
  [
    "stream-callbacks",
    "(stream-callbacks :stream-handle handle :events {:on-item function …})",
    "Registers callbacks.",
    fails,
    "(stream-callbacks :stream-handle h :events {:on-item f}) ⇝ (call :marketplace.stream.register-callbacks {:handle h :on-item f})"
  ],
  [
    "register-stream-capability",
    "(register-stream-capability :capability-id id :type type …)",
    "Registers a provider of streams.",
    fails,
    '(register-stream-capability :capability-id "a" :type :stream-source) ⇝ (call :marketplace.stream.register {:capability-id "a" :type :stream-source})'
  ],
  [
    "stream-circuit-breaker",
    "(stream-circuit-breaker :failure-threshold n :timeout-ms n …)",
    "Makes a circuit breaker; `(breaker:call function)` calls through it.",
    fails,
    "(stream-circuit-breaker :failure-threshold 3 :timeout-ms 1000) ⇝ (call :marketplace.stream.circuit-breaker {:failure-threshold 3 :timeout-ms 1000})",
    "(let [b x] (b:call f)) ⇝ (let [b x] (call :marketplace.stream.circuit-breaker.call {:breaker b :function f}))"
  ],
  [
    "stream-profile",
    "(stream-profile handle options?)",
    "Measures a stream.",
    fails,
    "(stream-profile h {:sampling-rate 0.1}) ⇝ (call :marketplace.stream.profile {:handle h :sampling-rate 0.1})"
  ],
  [
    "stream-close",
    "(stream-close handle)",
    "Closes a stream; again and again does no harm.",
    fails,
    "(stream-close h) ⇝ (call :marketplace.stream.close {:handle h})"
  ],
  [
    "with-resource",
    "(with-resource [name Type? value] body…)",
    "Binds a stream or resource and closes it after its body, also when that fails.",
    fails,
    '(with-resource [h Stream (stream-sink "a")] (f h)) ⇝ (let [h (call :marketplace.stream.open-sink {:id "a"})] (try (f h) (finally (call :marketplace.stream.close {:handle h}))))'
  ],
  [
    "step-parallel",
    "(step-parallel form…)",
    "Evaluates forms concurrently through the host and gives their values in order.",
    fails,
    "(step-parallel a b) ⇝ (call :ccos.concurrent.parallel [(fn [] a) (fn [] b)])"
  ],
  [
    "parallel",
    "(parallel [name form] …)",
    "Evaluates forms concurrently through the host and gives a map of their values by name.",
    fails,
    "(parallel [x a]) ⇝ (let [[x--1] (call :ccos.concurrent.parallel [(fn [] a)])] {:x x--1})"
  ]
])
