import { parseDuration, parseSize } from "./quantity.ts"

/** One `--flag` of the command line. */
export interface Flag<Value> {
  /** What stands for its value in the help; without one the flag takes none. */
  readonly metavar: string | undefined
  /** May be given several times; its value is then the array of all. */
  readonly repeated: boolean
  readonly summary: string
  /** The value, or `undefined` when it is not one: `expected` says what would be. */
  readonly parse: (written: string) => Value | undefined
  readonly expected: string
}

const one = <Value>(metavar: string, summary: string, expected: string, parse: Flag<Value>["parse"]): Flag<Value> => ({
  metavar,
  repeated: false,
  summary,
  parse,
  expected
})

const text = (metavar: string, summary: string): Flag<string> =>
  one(metavar, summary, `a ${metavar}`, (written) => (written === "" ? undefined : written))

const duration = (metavar: string, summary: string): Flag<number> =>
  one(metavar, summary, "a duration such as 30s, 500ms or 2m", parseDuration)

const parseCount = (written: string): number | undefined => (/^[1-9]\d{0,14}$/.test(written) ? Number(written) : undefined)

const parsePort = (written: string): number | undefined =>
  /^\d{1,5}$/.test(written) && Number(written) < 65_536 ? Number(written) : undefined

const choice = <const Names extends ReadonlyArray<string>>(names: Names, summary: string): Flag<Names[number]> =>
  one(names.join("|"), summary, `one of ${names.join(", ")}`, (written) => names.find((name) => name === written))

const each = (metavar: string, summary: string, expected: string, isValid: (written: string) => boolean): Flag<ReadonlyArray<string>> => ({
  metavar,
  repeated: true,
  summary,
  expected,
  parse: (written) => (isValid(written) ? [written] : undefined)
})

const onOff = (summary: string): Flag<true> => ({ metavar: undefined, repeated: false, summary, expected: "no value", parse: () => true })

/** `host:port`, where either may be `*`; an IPv6 address stands in brackets. */
const isHostAndPort = (written: string): boolean => {
  const match = /^(?:\[[0-9a-f:.]+\]|[^\s:/@[\]]+):(\*|\d{1,5})$/i.exec(written)
  return match !== null && (match[1] === "*" || (Number(match[1]) > 0 && Number(match[1]) < 65_536))
}

/** Every flag of every command: one name means one thing wherever it is taken. */
export const flags = {
  bindings: text("MODULE", "an ES module whose exports become symbols of the program"),
  config: text("FILE", "a JSON file that names servers: connections, mcpServers, mcpEndpoints"),
  "data-dir": text("DIR", "keeps state, spill files and logins there; one host at a time works in it"),
  store: one("URL", "where state is kept: memory:, sqlite:FILE, redis://… or postgres://…", "a URL such as sqlite:state.db", (written) =>
    /^[a-z]+:/i.test(written) ? written : undefined
  ),
  memory: one("SIZE", "the most that streams may hold in memory (default 256MB)", "a size such as 256MB or 1GB", parseSize),
  timeout: duration("DURATION", "ends the program with status 70 when it takes longer"),
  "fs-root": text("DIR", "paths in the program resolve inside DIR, as in a chroot"),
  "allow-read": each("PATH", "lets the program read below PATH", "a path", (written) => written !== ""),
  "allow-write": each("PATH", "lets the program write below PATH", "a path", (written) => written !== ""),
  "allow-net": each("HOST:PORT", "lets the program connect to HOST:PORT", "HOST:PORT, such as api.example.com:443", isHostAndPort),
  "allow-db": each("URL", "lets the program use the database at URL", "a URL such as postgres://db/orders or sqlite:data.db", (written) =>
    /^[a-z]+:/i.test(written)
  ),
  secret: each(
    "NAME",
    "lets the program use the environment variable NAME as {{secret:NAME}}, unseen",
    "the name of an environment variable",
    (written) => /^[A-Za-z0-9._-]{1,128}$/.test(written)
  ),
  "allow-queue": each("NAME", "lets the program use the queue NAME; * is any", "the name of a queue", (written) => written !== ""),
  "allow-all": onOff("lets the program do whatever this user may do"),
  queue: text("QUEUE", "the queue of dead letters"),
  limit: one("COUNT", "how many at most (default 100)", "a whole number of at least 1", parseCount),
  after: one("ID", "only those behind the letter or message ID", "an id", parseCount),
  all: onOff("all letters of all queues, or all messages of one"),
  program: text("FILE", "the program that works the letters off; its symbol dead-letters is the stream of their items"),
  host: one("ADDRESS", "where the service listens, or is asked (default 127.0.0.1)", "an address or a name", (written) =>
    /^[A-Za-z0-9.:_-]+$/.test(written) ? written : undefined
  ),
  port: one("PORT", "its port (default 7717); for serve and mcp, 0 takes a free one", "a port from 0 to 65535", parsePort),
  "token-file": text("FILE", "the token that requests must show (default ~/.rtfs-streams/token); serve and mcp make it"),
  "allow-host": each("NAME", "answers requests that address the service as NAME", "a name or an address", (written) =>
    /^[A-Za-z0-9.:_-]+$/.test(written)
  ),
  restart: choice(
    ["permanent", "transient", "temporary"],
    "starts a program again whenever it ends (the default), after a failure, or never"
  ),
  http: onOff("listens on --host and --port, at /mcp, in place of standard input and output"),
  once: onOff("prints one picture and ends"),
  json: onOff("prints the result as JSON on standard output, and everything else on standard error"),
  report: text("FILE", "writes what was accepted, processed, left and dead-lettered, however the run ends"),
  progress: choice(["auto", "plain", "off"], "auto shows it on a terminal only; plain prints lines anywhere"),
  "shutdown-timeout": duration("DURATION", "how long a signal lets the streams drain (default 30s)"),
  format: choice(
    ["msgpack", "json", "ndjson", "text", "mermaid", "dot", "svg"],
    "explain prints text (the default), json, mermaid, dot or svg; decode reads msgpack, json or ndjson, by default what it finds"
  ),
  in: text("FILE", "the file to look into"),
  bounded: onOff("refuses a program in which a node may hold any amount, before anything runs"),
  "no-history": onOff("neither reads nor writes the history of inputs"),
  check: onOff("writes nothing, lists the files that are not formatted and ends with status 65 if there are any"),
  write: onOff("writes the formatted programs back to their files and lists those that changed"),
  debug: onOff("shows the stack of an internal error")
} as const

export type FlagName = keyof typeof flags

/** The flags as they were given. */
export type FlagValues = { readonly [Name in FlagName]?: NonNullable<ReturnType<(typeof flags)[Name]["parse"]>> }
