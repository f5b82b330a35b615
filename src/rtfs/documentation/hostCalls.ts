import { entries, type Entry } from "./Entry.ts"

const unknown =
  "`:unknown-capability` where the host does not have the capability; `:capability-denied` where its policy does not grant it."

/** Names that stand for a call of the host. A program or a host can define them otherwise. */
export const hostCallEntries: ReadonlyArray<Entry> = entries("call of the host", "Calls of the host", [
  [
    "println",
    "(println value…)",
    "Prints a line. Stands for `(call :ccos.io.println value…)`.",
    unknown,
    '(println "a" 1) ⇢ ccos.io.println "a" 1'
  ],
  [
    "log",
    "(log value…)",
    "Writes to the host's log. Stands for `(call :ccos.io.log value…)`.",
    unknown,
    '(log "started") ⇢ ccos.io.log "started"'
  ],
  ["tool/log", "(tool/log value…)", "Another name of `log`.", unknown, "(tool/log 1) ⇢ ccos.io.log 1"],
  [
    "current-time-millis",
    "(current-time-millis)",
    "The time in milliseconds. Stands for `(call :ccos.system.current-timestamp-ms)`.",
    unknown,
    "(current-time-millis) ⇢ ccos.system.current-timestamp-ms"
  ],
  [
    "tool/time-ms",
    "(tool/time-ms)",
    "Another name of `current-time-millis`.",
    unknown,
    "(tool/time-ms) ⇢ ccos.system.current-timestamp-ms"
  ],
  [
    "thread/sleep",
    "(thread/sleep milliseconds)",
    "Waits. Stands for `(call :ccos.thread.sleep milliseconds)`.",
    unknown,
    "(thread/sleep 10) ⇢ ccos.thread.sleep 10"
  ],
  [
    "get-env",
    "(get-env name)",
    "A variable of the environment. Stands for `(call :ccos.system.get-env name)`.",
    unknown,
    '(get-env "HOME") ⇢ ccos.system.get-env "HOME"'
  ],
  [
    "file-exists?",
    "(file-exists? path)",
    "Whether there is such a file. Stands for `(call :ccos.io.file-exists path)`.",
    unknown,
    '(file-exists? "a") ⇢ ccos.io.file-exists "a"'
  ],
  [
    "http-fetch",
    "(http-fetch request…)",
    "Fetches over HTTP. Stands for `(call :ccos.network.http-fetch request…)`.",
    unknown,
    '(http-fetch "http://a/") ⇢ ccos.network.http-fetch "http://a/"'
  ],
  [
    "kv/assoc!",
    "(kv/assoc! store key value)",
    "Stands for `(call :ccos.state.kv.assoc store key value)`.",
    unknown,
    '(kv/assoc! "s" "k" 1) ⇢ ccos.state.kv.assoc "s" "k" 1'
  ],
  [
    "kv/dissoc!",
    "(kv/dissoc! store key)",
    "Stands for `(call :ccos.state.kv.dissoc store key)`.",
    unknown,
    '(kv/dissoc! "s" "k") ⇢ ccos.state.kv.dissoc "s" "k"'
  ],
  [
    "kv/conj!",
    "(kv/conj! store key value)",
    "Stands for `(call :ccos.state.kv.conj store key value)`.",
    unknown,
    '(kv/conj! "s" "k" 1) ⇢ ccos.state.kv.conj "s" "k" 1'
  ],
  [
    "context/get",
    "(context/get key)",
    "Stands for `(call :ccos.context.get key)`.",
    unknown,
    "(context/get :user) ⇢ ccos.context.get :user"
  ],
  [
    "context/set",
    "(context/set key value)",
    "Stands for `(call :ccos.context.set key value)`.",
    unknown,
    "(context/set :user 7) ⇢ ccos.context.set :user 7"
  ]
])
