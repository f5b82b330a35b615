#!/usr/bin/env node
// Sends SIGTERM at random moments to programs that copy records, and looks where every single record went.
//
//   node tests/drivers/sigterm.ts [ROUNDS] [SEED]
//
// A record is in the output, in undrained.jsonl, or was never accepted; never in two of these and never in none. A process
// that is still there two seconds past its deadline has failed.

import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as later } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const records = 20_000

/** How records go from the file to the output; each has the strategy put in. */
const shapes = {
  plain: (decorate: (stream: string) => string) => decorate("(call :stream.map read {:transform slowly})"),
  buffered: (decorate: (stream: string) => string) =>
    decorate("(call :stream.map (call :stream.map read {:transform identity :buffer-size 40}) {:transform slowly :buffer-size 20})"),
  batched: (decorate: (stream: string) => string) =>
    decorate(
      "(call :stream.map (call :stream.batch (call :stream.filter read {:predicate (fn [x] true)}) {:size 7}) {:transform slowly :buffer-size 3})"
    ),
  concurrent: (decorate: (stream: string) => string) => decorate("(call :stream.map read {:transform slowly :parallelism 4})")
} as const

const strategies = ["none", "drain-all", "finish-current-batch", "immediate"] as const

interface Round {
  readonly shape: keyof typeof shapes
  readonly strategy: (typeof strategies)[number]
  readonly isEarly: boolean
  readonly delayMs: number
  readonly deadlineMs: number
  readonly twice: boolean
}

export interface Outcome extends Round {
  readonly tookMs: number
  readonly accepted: number
  readonly processed: number
  readonly undrained: number
  /** What is wrong with it; empty for a round that holds. */
  readonly problems: ReadonlyArray<string>
}

/** The same numbers for the same seed. */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** Runs so many rounds and tells each as it ends. */
export const sendSignals = async (
  rounds: number,
  seed: number,
  tell: (outcome: Outcome) => void = () => {}
): Promise<ReadonlyArray<Outcome>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-sigterm-"))
  const random = randomOf(seed)
  const oneOf = <Value>(values: ReadonlyArray<Value>): Value => values[Math.floor(random() * values.length)]!
  try {
    writeFileSync(join(folder, "in.txt"), Array.from({ length: records }, (_, index) => `${index} ${"x".repeat(200)}\n`).join(""))
    writeFileSync(
      join(folder, "bindings.mjs"),
      "export default { say: () => process.stderr.write('begun'), slowly: (x) => (x.length < 100 || Math.random() < 0.2) ? new Promise((go) => setTimeout(() => go(x), 1)) : x }"
    )
    const outcomes: Array<Outcome> = []
    for (let number = 0; number < rounds; number++) {
      const round: Round = {
        shape: oneOf(Object.keys(shapes) as Array<keyof typeof shapes>),
        strategy: oneOf(strategies),
        isEarly: random() < 0.1,
        delayMs: Math.floor(random() * 600),
        deadlineMs: oneOf([100, 1000, 30_000]),
        twice: random() < 0.2
      }
      const outcome = await play(folder, `round-${number}`, round)
      outcomes.push(outcome)
      tell(outcome)
    }
    return outcomes
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const play = async (folder: string, name: string, round: Round): Promise<Outcome> => {
  const own = join(folder, name)
  mkdirSync(own)
  const decorate = (stream: string) =>
    round.strategy === "none" ? stream : `(call :stream.graceful-shutdown ${stream} {:drain-strategy :${round.strategy}})`
  const program = `(say) (let [read (call :stream.file.read "${folder}/in.txt" {:format :lines})]
    (call :stream.file.write "${own}/out.ndjson" {:format :ndjson :fsync false :data-source ${shapes[round.shape](decorate)}}))`
  writeFileSync(join(own, "program.rtfs"), program)
  const args = ["run", join(own, "program.rtfs"), "--bindings", join(folder, "bindings.mjs"), "--report", join(own, "report.json")]
  const child = spawn(
    process.execPath,
    [main, ...args, "--data-dir", join(own, "data"), "--allow-all", "--progress", "off", "--shutdown-timeout", `${round.deadlineMs}ms`],
    { stdio: ["ignore", "ignore", "pipe"] }
  )
  let complaints = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text))
  const exited = once(child, "exit")
  const begun = new Promise<void>((resolve) => child.stderr.on("data", () => complaints.includes("begun") && resolve()))
  // Some signals come while it starts.
  await Promise.race([round.isEarly ? later(round.delayMs) : begun.then(() => later(round.delayMs)), exited])
  const began = performance.now()
  child.kill("SIGTERM")
  if (round.twice) {
    await Promise.race([later(50), exited])
    child.kill("SIGTERM")
  }
  const allowedMs = round.twice ? 50 + 1500 : round.deadlineMs + 2000
  const isOut = await Promise.race([exited.then(() => true), later(allowedMs + 3000).then(() => false)])
  const tookMs = Math.round(performance.now() - began)
  if (!isOut) child.kill("SIGKILL")
  const [status, signal] = (await exited) as [number | null, string | null]
  const problems = [
    ...(tookMs > allowedMs ? [`it took ${tookMs} ms, more than ${allowedMs}`] : []),
    ...(status === 143 || status === 0 || signal === "SIGTERM" ? [] : [`it ended with ${status ?? signal}: ${complaints}`])
  ]
  const found = look(own, round, problems)
  rmSync(own, { recursive: true, force: true })
  return { ...round, tookMs, ...found, problems }
}

const look = (own: string, { strategy }: Round, problems: Array<string>): Pick<Outcome, "accepted" | "processed" | "undrained"> => {
  // The signal came before the program was begun.
  if (!existsSync(join(own, "report.json")) || readFileSync(join(own, "report.json"), "utf8") === "") {
    if (existsSync(join(own, "out.ndjson"))) problems.push("there is output, but no report")
    return { accepted: 0, processed: 0, undrained: 0 }
  }
  const report = JSON.parse(readFileSync(join(own, "report.json"), "utf8")) as Record<string, number>
  const { accepted = 0, deadLettered = 0, dropped = 0, processed = 0, undrained = 0 } = report
  const isFinal = existsSync(join(own, "out.ndjson"))
  const written = isFinal ? recordsIn(readFileSync(join(own, "out.ndjson"), "utf8").split("\n")) : []
  const left = existsSync(join(own, "data/undrained.jsonl"))
    ? recordsIn(
        readFileSync(join(own, "data/undrained.jsonl"), "utf8")
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.stringify((JSON.parse(line) as { value: unknown }).value))
      )
    : []
  if (accepted !== processed + undrained + deadLettered + dropped)
    problems.push(`${accepted} accepted do not add up: ${JSON.stringify(report)}`)
  if (processed !== written.length) problems.push(`${processed} were processed, but the output has ${written.length}`)
  const all = [...written, ...left]
  if (new Set(all).size !== all.length) problems.push(`${all.length - new Set(all).size} records are in two places`)
  if (isFinal && left.length !== undrained) problems.push(`${undrained} are undrained, but undrained.jsonl has ${left.length}`)
  // What was in a file that was taken back is counted, but its values are gone.
  if (!isFinal && left.length > undrained) problems.push(`${undrained} are undrained, but undrained.jsonl has ${left.length}`)
  const total = all.reduce((sum, record) => sum + record, 0)
  if (isFinal && total !== (accepted * (accepted - 1)) / 2) problems.push(`the records do not add up to those of the first ${accepted}`)
  if (strategy === "drain-all" && isFinal && undrained > 0) problems.push(`${undrained} are undrained after a drain of all`)
  const rubbish = readdirSync(own).filter((name) => name.endsWith(".rtfs-part"))
  if (rubbish.length > 0) problems.push(`it has left ${rubbish.join(", ")}`)
  return { accepted, processed, undrained }
}

/** The numbers of the records in lines of JSON: each a record, or a vector of them. */
const recordsIn = (lines: ReadonlyArray<string>): ReadonlyArray<number> =>
  lines
    .filter((line) => line !== "")
    .flatMap((line) => [JSON.parse(line) as string | Array<string>].flat().map((record) => Number.parseInt(record)))

if (import.meta.main) {
  const [rounds = "100", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2)
  console.log(`seed ${seed}`)
  const outcomes = await sendSignals(Number(rounds), Number(seed), (outcome) => console.log(JSON.stringify(outcome)))
  const bad = outcomes.filter(({ problems }) => problems.length > 0)
  const undrained = outcomes.reduce((sum, outcome) => sum + outcome.undrained, 0)
  console.log(
    `${outcomes.length} rounds, ${bad.length} with problems, ${outcomes.filter(({ accepted }) => accepted > 0).length} under way, ${undrained} records undrained`
  )
  process.exitCode = bad.length === 0 ? 0 : 1
}
