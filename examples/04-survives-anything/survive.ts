// A program that is killed twice in the middle of its work, and whose result shows nothing of it.
//
// Run it with `node examples/04-survives-anything/survive.ts`. It starts running-delays.rtfs three times with the same
// command, and kills the first two processes with SIGKILL, which no process can prepare for.
//
//   process 1: killed while it wrote
//   process 2: went on from the last checkpoint; killed while it wrote
//   process 3: went on from the last checkpoint, and ended
//   200000 flights were read, 200000 lines are written: none is missing, none is there twice
//   every running total is exact; the last one is 1500159 minutes
//   process 4: found that all is done, and changed nothing

import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

const output = "out/running-delays.ndjson"
const dataDir = "out/running-delays-data"
const input = "node_modules/vega-datasets/data"

const program = ["src/cli/main.ts", "run", "examples/04-survives-anything/running-delays.rtfs"]
const command = [...program, "--data-dir", dataDir, "--allow-read", input, "--allow-write", "out"]

/** Until the output is complete, its lines are in a part file beside it. */
const written = (): number =>
  readdirSync("out")
    .filter((name) => name.endsWith(".rtfs-part"))
    .reduce((bytes, name) => bytes + statSync(`out/${name}`).size, 0)

const runToEnd = async (): Promise<void> => {
  const [status] = await once(spawn(process.execPath, command, { stdio: "inherit" }), "exit")
  if (status !== 0) throw new Error(`It ended with ${String(status)}.`)
}

const runUntilItWrites = async (): Promise<void> => {
  const before = written()
  const child = spawn(process.execPath, command, { stdio: "inherit" })
  const ended = once(child, "exit")
  while (child.exitCode === null && written() <= before) await sleep(1)
  child.kill("SIGKILL")
  const [, signal] = await ended
  if (signal !== "SIGKILL") throw new Error("It had ended before it could be killed.")
}

// What an earlier run of this example has left.
mkdirSync("out", { recursive: true })
rmSync(dataDir, { recursive: true, force: true })
rmSync(output, { force: true })
for (const name of readdirSync("out").filter((name) => name.endsWith(".rtfs-part"))) rmSync(`out/${name}`)

await runUntilItWrites()
console.log("process 1: killed while it wrote")
await runUntilItWrites()
console.log("process 2: went on from the last checkpoint; killed while it wrote")
if (existsSync(output)) throw new Error("There is an output before its stream has ended.")
await runToEnd()
console.log("process 3: went on from the last checkpoint, and ended")

interface Total {
  readonly flight: number
  readonly minutes: number
}

const flights = JSON.parse(readFileSync(`${input}/flights-200k.json`, "utf8")) as ReadonlyArray<{ readonly delay: number }>
const totals = readFileSync(output, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Total)
let minutes = 0
for (const [index, { delay }] of flights.entries()) {
  minutes += delay
  const total = totals[index]
  if (total?.flight !== index + 1 || total.minutes !== minutes) throw new Error(`Line ${index + 1} is wrong: ${JSON.stringify(total)}`)
}
if (totals.length !== flights.length) throw new Error(`There are ${totals.length - flights.length} lines too many.`)
console.log(`${flights.length} flights were read, ${totals.length} lines are written: none is missing, none is there twice`)
console.log(`every running total is exact; the last one is ${minutes} minutes`)

const { mtimeMs } = statSync(output)
await runToEnd()
if (statSync(output).mtimeMs !== mtimeMs) throw new Error("It wrote again.")
console.log("process 4: found that all is done, and changed nothing")
