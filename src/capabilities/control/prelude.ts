import { closeSync } from "node:fs"
import type { StreamFunction } from "../../scheduler/index.ts"
import { isKeyword } from "../../serialization/index.ts"
import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { FileFailure } from "../files/errors.ts"

const log = defineControl({
  id: "ccos.io.log",
  summary: "Writes its arguments as one line to the host's log, which is not the program's output.",
  spec: "prelude",
  arguments: ["value …"],
  effects: [":print"],
  example: '(call :ccos.io.log "loaded" 3 "files")',
  perform: async (values, context) => {
    await context.log(values.map((value) => context.show(value)).join(" "))
    return null
  }
})

const currentTimestampMs = defineControl({
  id: "ccos.system.current-timestamp-ms",
  summary: "Gives the time of the host's clock, in milliseconds since 1970.",
  spec: "prelude",
  arguments: [],
  effects: [":clock"],
  example: "(> (call :ccos.system.current-timestamp-ms) 0)",
  perform: (_, { now }) => now()
})

const sleep = defineControl({
  id: "ccos.thread.sleep",
  summary: "Waits for so many milliseconds of the host's clock. Streams go on meanwhile.",
  spec: "prelude",
  arguments: ["milliseconds"],
  effects: [":clock"],
  example: "(call :ccos.thread.sleep 1)",
  perform: ([milliseconds], context) => {
    if (typeof milliseconds !== "number" || !(milliseconds >= 0 && milliseconds <= longestSleepMs)) {
      throw new InvalidCall("ccos.thread.sleep", `needs milliseconds from 0 to ${longestSleepMs}, but got ${shown(milliseconds)}.`)
    }
    return context.sleep(milliseconds).then(() => null)
  }
})

/** A day. */
const longestSleepMs = 86_400_000

const getEnv = defineControl({
  id: "ccos.system.get-env",
  summary: "Gives an environment variable of the host, or nil.",
  spec: "prelude",
  arguments: ["name"],
  effects: [":env"],
  notes: ["The environment may hold secrets: only a policy that grants everything (`--allow-all`) lets a program read it."],
  example: '(call :ccos.system.get-env "NO_SUCH_VARIABLE")',
  perform: ([name]) => {
    if (typeof name !== "string") throw new InvalidCall("ccos.system.get-env", `needs a name, but got ${shown(name)}.`)
    return process.env[name] ?? null
  }
})

const fileExists = defineControl({
  id: "ccos.io.file-exists",
  summary: "Says whether there is a file or folder at a path that the program may read.",
  spec: "prelude",
  arguments: ["path"],
  effects: [":fs.read"],
  notes: ["A path that the program may not read is an error, whether or not something is there."],
  example: '(call :ccos.io.file-exists "no-such-file")',
  perform: async ([path], { files, perform }) => {
    if (typeof path !== "string") throw new InvalidCall("ccos.io.file-exists", `needs a path, but got ${shown(path)}.`)
    try {
      closeSync((await perform(files.openForReading(path))).fd)
      return true
    } catch (error) {
      if (!(error instanceof FileFailure)) throw error
      return error.code !== "ENOENT" && error.code !== "ENOTDIR"
    }
  }
})

/** A map as plain entries by key; keywords and strings of one name are one key. */
const entriesAt = (context: CallContext, id: string, name: unknown): Record<string, unknown> => {
  const value = context.store.get(name)
  if (value === null) return {}
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) return { ...(value as Record<string, unknown>) }
  throw new InvalidCall(id, `keeps ${shown(value)} under ${shown(name)}, which is no map.`)
}

const keyName = (id: string, key: unknown): string => {
  if (isKeyword(key)) return key.name
  if (typeof key === "string" && key !== "__proto__") return key
  throw new InvalidCall(id, `takes keywords and strings as keys, but got ${shown(key)}.`)
}

const kvAssoc = defineControl({
  id: "ccos.state.kv.assoc",
  summary: "Sets keys of the map that the program keeps under a name, and gives the map.",
  spec: "prelude",
  arguments: ["name", "key value …"],
  notes: ["What a program keeps lasts as long as the program; at most 10000 names."],
  example: "(call :ccos.state.kv.assoc :totals :flights 3)",
  perform: ([name, ...pairs], context) => {
    const map = entriesAt(context, "ccos.state.kv.assoc", name)
    if (pairs.length % 2 !== 0) throw new InvalidCall("ccos.state.kv.assoc", "needs a value for each key.")
    for (let at = 0; at < pairs.length; at += 2) map[keyName("ccos.state.kv.assoc", pairs[at])] = pairs[at + 1]
    context.store.set("ccos.state.kv.assoc", name, map)
    return map
  }
})

const kvDissoc = defineControl({
  id: "ccos.state.kv.dissoc",
  summary: "Removes keys from the map that the program keeps under a name, and gives the map.",
  spec: "prelude",
  arguments: ["name", "key …"],
  example: "(call :ccos.state.kv.dissoc :totals :flights)",
  perform: ([name, ...keys], context) => {
    const map = entriesAt(context, "ccos.state.kv.dissoc", name)
    for (const key of keys) delete map[keyName("ccos.state.kv.dissoc", key)]
    context.store.set("ccos.state.kv.dissoc", name, map)
    return map
  }
})

const kvConj = defineControl({
  id: "ccos.state.kv.conj",
  summary: "Appends to the vector that the program keeps under a name, and gives the vector.",
  spec: "prelude",
  arguments: ["name", "item …"],
  example: "(call :ccos.state.kv.conj :seen 1 2)",
  perform: ([name, ...items], { store }) => {
    const before = store.get(name) ?? []
    if (!Array.isArray(before)) throw new InvalidCall("ccos.state.kv.conj", `keeps ${shown(before)} under ${shown(name)}, which is no vector.`)
    const vector = [...before, ...items]
    store.set("ccos.state.kv.conj", name, vector)
    return vector
  }
})

const contextGet = defineControl({
  id: "ccos.context.get",
  summary: "Gives what the program keeps under a name, or the default, or nil.",
  spec: "prelude",
  arguments: ["name", "default?"],
  example: '(call :ccos.context.get :user "nobody")',
  perform: ([name, otherwise = null], { store }) => store.get(name) ?? otherwise
})

const contextSet = defineControl({
  id: "ccos.context.set",
  summary: "Keeps a value under a name while the program runs, and gives the value.",
  spec: "prelude",
  arguments: ["name", "value"],
  example: '(call :ccos.context.set :user "ada")',
  perform: ([name, value], { store }) => {
    store.set("ccos.context.set", name, value)
    return value
  }
})

const parallel = defineControl({
  id: "ccos.concurrent.parallel",
  summary: "Calls functions without arguments, lets what they wait for overlap, and gives their values in order.",
  spec: "prelude",
  arguments: ["functions"],
  notes: ["The first failure fails the call; the others run to their end."],
  example: "(call :ccos.concurrent.parallel [(fn [] 1) (fn [] 2)])",
  perform: ([functions]) => {
    if (!Array.isArray(functions) || functions.some((fn) => typeof fn !== "function")) {
      throw new InvalidCall("ccos.concurrent.parallel", `needs a vector of functions, but got ${shown(functions)}.`)
    }
    return Promise.all(functions.map(async (fn: StreamFunction) => fn()))
  }
})

/** What the prelude's names stand for, but for printing: each is a call of the host. */
export const preludeCapabilities: ReadonlyArray<ControlCapability> = [
  log,
  currentTimestampMs,
  sleep,
  getEnv,
  fileExists,
  kvAssoc,
  kvDissoc,
  kvConj,
  contextGet,
  contextSet,
  parallel
]
