/** Names that stand for a call of the host. A program or the host can define them otherwise. */
export const prelude: ReadonlyMap<string, string> = new Map([
  ["println", "ccos.io.println"],
  ["log", "ccos.io.log"],
  ["tool/log", "ccos.io.log"],
  ["current-time-millis", "ccos.system.current-timestamp-ms"],
  ["tool/time-ms", "ccos.system.current-timestamp-ms"],
  ["thread/sleep", "ccos.thread.sleep"],
  ["get-env", "ccos.system.get-env"],
  ["file-exists?", "ccos.io.file-exists"],
  ["http-fetch", "ccos.network.http-fetch"],
  ["kv/assoc!", "ccos.state.kv.assoc"],
  ["kv/dissoc!", "ccos.state.kv.dissoc"],
  ["kv/conj!", "ccos.state.kv.conj"],
  ["context/get", "ccos.context.get"],
  ["context/set", "ccos.context.set"]
])
