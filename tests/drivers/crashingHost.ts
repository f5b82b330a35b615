// A process that runs the program of numbersProgram.ts and kills itself at a chosen moment.
//
//   node tests/drivers/crashingHost.ts FOLDER POINT before|after [append]
//
// Points are numbered from 1 in the order in which they come: each change of a file that the sink makes, each transaction
// of the store, each emptying of its log, and each call of the program's :on-checkpoint. It prints the name of the point at
// which it ends, or `done`. Exit status 1 where the program failed.
import { writeSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { StreamHost } from "../../src/index.ts"
import { type FileOperations, nodeFiles } from "../../src/capabilities/files/FileOperations.ts"
import { numbersBindings, numbersProgram } from "./numbersProgram.ts"

const [folder, point, moment, mode] = process.argv.slice(2) as [string, string, "before" | "after", string | undefined]

let points = 0

const end = (name: string): never => {
  writeSync(1, `${moment} ${name}`)
  process.kill(process.pid, "SIGKILL")
  // The signal is on its way; nothing of this process may run meanwhile.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** @returns what to do once the work of the point is done */
const reach = (name: string): (() => void) => {
  if (++points !== Number(point)) return () => {}
  return moment === "before" ? end(name) : () => end(name)
}

const changing = ["open", "write", "truncate", "sync", "rename", "remove", "close"] as const satisfies ReadonlyArray<keyof FileOperations>
for (const name of changing) {
  const work = nodeFiles[name] as (...parts: ReadonlyArray<unknown>) => Promise<unknown>
  const crashing = async (...parts: ReadonlyArray<unknown>) => {
    const done = reach(name)
    const result = await work(...parts)
    done()
    return result
  }
  Object.assign(nodeFiles, { [name]: crashing })
}

const exec = DatabaseSync.prototype.exec
DatabaseSync.prototype.exec = function (sql) {
  const name = /^(?:BEGIN IMMEDIATE|COMMIT|PRAGMA wal_checkpoint)/.exec(sql)?.[0]
  const done = name === undefined ? () => {} : reach(name)
  exec.call(this, sql)
  done()
}

const noted = (): void => reach("on-checkpoint")()

const host = await StreamHost.start({
  dataDir: `${folder}/data`,
  policy: { write: [folder] },
  bindings: { ...numbersBindings, noted }
})
await host.run(numbersProgram(folder, mode === "append" ? ":mode :append" : ""))
await host.stop()
writeSync(1, "done")
process.exit(0)
