import { type HostOptions, type Progress, StreamHost } from "../host/index.ts"
import type { FlagValues } from "./Flag.ts"
import { loadBindings } from "./loadBindings.ts"
import { loadConfig } from "./loadConfig.ts"
import type { Output } from "./Output.ts"
import { UsageError } from "./UsageError.ts"
import { within } from "./within.ts"

/** What streams that a command started and does not wait for may take to end. */
const stopMs = 1000

/** Starts a host as the flags say. With `--json` standard output belongs to the result alone. */
export const startHost = async (
  flags: FlagValues,
  output: Output,
  onProgress?: (progress: Progress) => void,
  bindings: Readonly<Record<string, unknown>> = {}
): Promise<StreamHost> => StreamHost.start(await hostOptions(flags, output, onProgress, bindings))

/** What the flags say of a host. */
export const hostOptions = async (
  flags: FlagValues,
  output: Output,
  onProgress?: (progress: Progress) => void,
  bindings: Readonly<Record<string, unknown>> = {}
): Promise<HostOptions> => ({
  onProgress,
  log: (line) => output.problem(line),
  memory: flags.memory,
  bounded: flags.bounded ?? false,
  store: flags.store,
  dataDir: flags["data-dir"],
  ...(flags.config === undefined ? {} : await loadConfig(flags.config)),
  bindings: { ...(flags.bindings === undefined ? {} : (await loadBindings(flags.bindings)).values), ...bindings },
  secrets: Object.fromEntries((flags.secret ?? []).map((name) => [name, environmentSecret(name)])),
  policy: {
    read: flags["allow-read"] ?? [],
    write: flags["allow-write"] ?? [],
    net: flags["allow-net"] ?? [],
    db: flags["allow-db"] ?? [],
    queue: flags["allow-queue"] ?? [],
    all: flags["allow-all"] ?? false,
    fsRoot: flags["fs-root"]
  },
  print: flags.json === true ? (line) => output.problem(line) : (line) => output.line(line)
})

const environmentSecret = (name: string): string => {
  const value = process.env[name]
  if (value !== undefined && value !== "") return value
  throw new UsageError(`--secret ${name} needs the environment variable ${name}, which is not set`)
}

/** Uses a host that runs nothing for longer than this takes, and ends it at once afterwards. */
export const withHost = async <Result>(
  flags: FlagValues,
  output: Output,
  use: (host: StreamHost) => Result | Promise<Result>
): Promise<Result> => {
  const host = await startHost(flags, output)
  try {
    return await use(host)
  } finally {
    await within(stopMs, host.stop({ timeout: 0 }), () => {})
  }
}
