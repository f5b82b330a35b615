import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type FileAccess, SpillDirectory, type StreamServices, sweepSpill } from "../actors/index.ts"
import { makeWorkerPool, type OffloadPool } from "../scheduler/index.ts"
import { takeDataDirectory } from "../state/index.ts"
import { makeDatabaseAccess } from "./DatabasePolicy.ts"
import { makeFileAccess } from "./FilePolicy.ts"
import { openMcpAccess } from "./mcpAccess.ts"
import { makeNetworkAccess } from "./NetworkPolicy.ts"
import type { HostOptions } from "./HostOptions.ts"
import { harmless } from "./harmless.ts"
import { makeHostStores } from "./HostStores.ts"
import { makeQueueAccess } from "./QueuePolicy.ts"
import type { PipelineRuntime } from "./PipelineRuntime.ts"
import type { Policy } from "./Policy.ts"
import { UndrainedFile } from "./UndrainedFile.ts"

/** At most so often is each source's progress reported. */
const progressIntervalMs = 100

/** What sources, sinks and islands use of the host: files below the granted roots, printing, progress, worker threads. */
export const makeServices = Effect.fnUntraced(function* (
  options: HostOptions,
  policy: Policy
): Effect.fn.Return<
  Pick<PipelineRuntime, "services" | "mcp" | "pool" | "spill" | "spillFor" | "stateStore" | "storeNamed" | "undrained">,
  Error,
  Scope.Scope
> {
  const clock = yield* Clock.Clock
  let pool: OffloadPool | undefined
  yield* Effect.addFinalizer(() => (pool === undefined ? Effect.void : Effect.asVoid(Effect.promise(() => pool!.close()))))
  const scope = yield* Scope.Scope
  const context = yield* Effect.context<never>()
  const shared = new Map<string, unknown>()
  const files = makeFileAccess({ read: policy.roots(":fs.read"), write: policy.roots(":fs.write"), fsRoot: policy.fsRoot, all: policy.all })
  const databases = yield* makeDatabaseAccess({ db: policy.databases, all: policy.all, connections: options.connections ?? {} })
  // Before anything in it is touched, and released after everything in it was closed.
  if (options.dataDir !== undefined) yield* lockDataDirectory(options.dataDir)
  const spill = yield* Effect.cached(Scope.provide(openSpill(options), scope))
  // A scope made now closes after the streams have ended, and before the lock is released; one made on first use would not.
  const stores = makeHostStores(options, yield* Scope.fork(scope))
  const queues = makeQueueAccess(
    { policy, connections: options.connections ?? {}, stateStore: stores.stateStore },
    yield* Scope.fork(scope)
  )
  return {
    undrained:
      options.dataDir === undefined
        ? undefined
        : new UndrainedFile(join(options.dataDir, "undrained.jsonl"), (line) =>
            (options.log ?? ((text) => process.stderr.write(`${text}\n`)))(line)
          ),
    ...stores,
    spill,
    mcp: yield* openMcpAccess(options),
    spillFor: ({ maxDisk, tempDir }) =>
      Effect.gen(function* () {
        const parent = tempDir === undefined ? spillFolder(options) : yield* folderFor(files, tempDir)
        yield* sweepSpill(parent)
        return yield* SpillDirectory.open({ parent, maxBytes: maxDisk })
      }),
    services: {
      files,
      queues,
      databases,
      network: makeNetworkAccess({ net: policy.roots(":network"), all: policy.all, secrets: options.secrets }),
      print: options.print ?? ((line) => process.stdout.write(`${line}\n`)),
      log: options.log ?? ((line) => process.stderr.write(`${line}\n`)),
      time: {
        now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
        // In the host's scope, so that a wait which nobody needs any more keeps no process alive.
        sleep: (milliseconds) =>
          new Promise((resolve) => {
            Effect.runForkWith(context)(Effect.forkIn(Effect.andThen(Effect.sleep(milliseconds), Effect.sync(resolve)), scope))
          })
      },
      shared: <A>(name: string, make: () => A): A => {
        if (!shared.has(name)) shared.set(name, make())
        return shared.get(name) as A
      },
      progress: throttled(options, () => clock.currentTimeMillisUnsafe())
    },
    pool: () =>
      (pool ??= makeWorkerPool({
        workerFile: new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url),
        limits: options.limits ?? {},
        ...(options.workers === undefined ? {} : { workers: options.workers })
      }))
  }
})

const lockDataDirectory = (directory: string) =>
  Effect.acquireRelease(Effect.tryPromise({ try: () => takeDataDirectory(directory), catch: (error) => error as Error }), ({ release }) =>
    Effect.sync(release)
  )

/** How much disk spilled frames may take in all. */
const spillBytes = 1024 ** 3

/** The folder of this host's spilled frames. What dead processes left beside it is removed first. */
const openSpill = (options: HostOptions) => {
  const parent = spillFolder(options)
  return Effect.andThen(sweepSpill(parent), SpillDirectory.open({ parent, maxBytes: spillBytes }))
}

const spillFolder = ({ dataDir = join(tmpdir(), "rtfs-streams") }: HostOptions) => join(dataDir, "spill")

/** The real path of a folder that a program named: one that is there, or that can be made in one that is. */
const folderFor = (files: FileAccess, folder: string): Effect.Effect<string, unknown> =>
  files.resolveForWriting(join(folder, "lock")).pipe(
    Effect.map((path) => dirname(path)),
    Effect.catch(() => files.resolveForWriting(folder))
  )

const throttled = ({ onProgress }: HostOptions, now: () => number): StreamServices["progress"] => {
  if (onProgress === undefined) return () => {}
  const tell = harmless("onProgress", onProgress)
  const last = new Map<string, number>()
  return (address, done, total, unit) => {
    const time = now()
    const isLast = total !== undefined && done >= total
    if (!isLast && time - (last.get(address) ?? -Infinity) < progressIntervalMs) return
    if (isLast) last.delete(address)
    else last.set(address, time)
    tell({ address, done, total, unit })
  }
}
