import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { LineCheck } from "./numberedLines.ts"
import { numberedLines, randomOf } from "./numberedLines.ts"
import { checkOutput, programOf, type Variant, type VariantName, variants } from "./variants.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

/** Where a process was when it was killed, as its files show it. */
export const phases = ["start-up", "recovery", "flowing", "ending"] as const
export type Phase = (typeof phases)[number]

export interface KillOptions {
  readonly variant: VariantName
  /** How often a process is killed, over as many runs of the program as that takes. */
  readonly kills: number
  readonly lines: number
  readonly seed: number
  readonly intervalMs: number
}

export interface KillReport extends LineCheck {
  readonly variant: VariantName
  readonly seed: number
  readonly lines: number
  /** Runs from nothing to a complete file. */
  readonly runs: number
  readonly kills: number
  readonly phases: Readonly<Record<Phase, number>>
  readonly wrongTotals: number
  /** What else went wrong: exit statuses and messages that should not be. */
  readonly failures: ReadonlyArray<string>
}

/** At most so many kills in one run, so that each run comes to its end. */
const killsOfOneRun = 60
/** How long it then works before it is killed, at most. */
const workingMs = 150

/** Runs the program in a process that is killed again and again, until it has ended, and looks at what it has written. */
export const killedRuns = async ({ intervalMs, kills, lines, seed, variant: name }: KillOptions): Promise<KillReport> => {
  const random = randomOf(seed)
  const variant: Variant = variants[name]
  const report = { lost: 0, doubled: 0, torn: 0, reordered: 0, wrongTotals: 0, runs: 0, kills: 0 }
  const counts: Record<Phase, number> = { "start-up": 0, recovery: 0, flowing: 0, ending: 0 }
  const failures: Array<string> = []
  /** How long a process takes to start, to open its store and to go on. */
  let startingMs = 500
  while (report.kills < kills || report.runs === 0) {
    const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-kill-"))
    try {
      prepare(folder, variant, { lines, intervalMs, random })
      const most = report.kills + killsOfOneRun
      let outcome: Life
      do {
        const isKilled = report.kills < kills && report.kills < most
        outcome = await life(folder, variant, isKilled ? planOf(random, startingMs) : undefined)
        startingMs = outcome.startingMs ?? startingMs
        if (outcome.killed === undefined) continue
        counts[outcome.killed]++
        report.kills++
      } while (outcome.killed !== undefined)
      report.runs++
      if (outcome.status !== 0) failures.push(`exit status ${outcome.status}: ${outcome.stderr.trim()}`)
      else {
        const written = readFileSync(join(folder, "out", variant.file))
        const found = checkOutput(variant, written, lines)
        for (const kind of ["lost", "doubled", "torn", "reordered"] as const) report[kind] += found[kind]
        if (!hasTotals(outcome.stdout, lines)) report.wrongTotals++
        failures.push(...(await whatRepeats(folder, variant, { written, stdout: outcome.stdout })))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return { variant: name, seed, lines, ...report, phases: counts, failures }
}

interface Life {
  /** Where it was killed; otherwise it ended by itself. */
  readonly killed: Phase | undefined
  /** Until its output grew, if that was seen. */
  readonly startingMs?: number | undefined
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** When a process is killed. */
type KillPlan =
  | { readonly after: "start"; readonly ms: number }
  | { readonly after: "output has grown"; readonly ms: number; /** Also when it has its name. */ readonly atEnd: boolean }

const planOf = (random: () => number, startingMs: number): KillPlan =>
  random() < 0.27
    ? { after: "start", ms: random() * startingMs }
    : { after: "output has grown", ms: random() * workingMs, atEnd: random() < 0.5 }

const prepare = (
  folder: string,
  variant: Variant,
  { intervalMs, lines, random }: { readonly lines: number; readonly intervalMs: number; readonly random: () => number }
): void => {
  mkdirSync(join(folder, "out"))
  writeFileSync(join(folder, "in.txt"), numberedLines(lines, random))
  writeFileSync(join(folder, "program.rtfs"), programOf(variant, intervalMs))
  if (variant.before !== undefined) writeFileSync(join(folder, "out", variant.file), variant.before)
}

const start = (folder: string): ChildProcess =>
  spawn(process.execPath, [main, "run", "program.rtfs", "--data-dir", "data", "--allow-read", ".", "--allow-write", "out", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"]
  })

const life = async (folder: string, variant: Variant, plan: KillPlan | undefined): Promise<Life> => {
  const seen = new Sight(folder, variant)
  const child = start(folder)
  const texts = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"] as const) child[name]!.setEncoding("utf8").on("data", (text: string) => (texts[name] += text))
  const closed = once(child, "close") as Promise<[number | null, string | null]>
  let hasEnded = false
  void closed.then(() => (hasEnded = true))
  let startingMs: number | undefined
  if (plan !== undefined) {
    startingMs = await untilTime(plan, seen, () => hasEnded)
    if (!hasEnded) child.kill("SIGKILL")
  }
  const [status, signal] = await closed
  return { killed: signal === "SIGKILL" ? seen.phase(child.pid!) : undefined, startingMs, status, ...texts }
}

const untilTime = async (plan: KillPlan, seen: Sight, hasEnded: () => boolean): Promise<number | undefined> => {
  const begun = performance.now()
  let startingMs: number | undefined
  let at = plan.after === "start" ? begun + plan.ms : Infinity
  while (!hasEnded() && performance.now() < at) {
    seen.look()
    if (plan.after === "output has grown") {
      if (seen.hasGrown && startingMs === undefined) {
        startingMs = performance.now() - begun
        at = begun + startingMs + plan.ms
      }
      if (plan.atEnd && seen.hasItsName) return startingMs
    }
    await sleep(1)
  }
  return startingMs
}

/** What the files say of the process that works with them. */
class Sight {
  hasGrown = false
  readonly #folder: string
  readonly #file: string
  readonly #appends: boolean
  #size: number

  constructor(folder: string, { before, file }: Variant) {
    this.#folder = folder
    this.#file = file
    this.#appends = before !== undefined
    this.#size = this.#outputSize()
  }

  look(): void {
    const size = this.#outputSize()
    if (size > this.#size) this.hasGrown = true
    // Smaller, when it was cut back to the checkpoint.
    this.#size = size
  }

  /** The output has been renamed. */
  get hasItsName(): boolean {
    return !this.#appends && statSync(join(this.#folder, "out", this.#file), { throwIfNoEntry: false }) !== undefined
  }

  phase(pid: number): Phase {
    this.look()
    if (this.hasItsName) return "ending"
    if (this.hasGrown) return "flowing"
    return ownerOf(this.#folder) === pid ? "recovery" : "start-up"
  }

  #outputSize(): number {
    const folder = join(this.#folder, "out")
    return readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
  }
}

const ownerOf = (folder: string): number | undefined => {
  try {
    return (JSON.parse(readFileSync(join(folder, "data", "owner.json"), "utf8")) as { readonly pid: number }).pid
  } catch {
    return undefined
  }
}

const hasTotals = (stdout: string, lines: number): boolean => {
  const { items, sum } = JSON.parse(stdout) as { readonly items: number; readonly sum: number }
  return items === lines && sum === (lines * (lines + 1)) / 2
}

/** The same command once more: it does nothing and says the same. */
const whatRepeats = async (
  folder: string,
  variant: Variant,
  before: { readonly written: Buffer; readonly stdout: string }
): Promise<ReadonlyArray<string>> => {
  const again = await life(folder, variant, undefined)
  if (again.status !== 0) return [`the finished program, run again, ended with ${again.status}: ${again.stderr.trim()}`]
  const left = readdirSync(join(folder, "out"))
  return [
    ...(again.stdout === before.stdout ? [] : ["the finished program, run again, gave another result"]),
    ...(readFileSync(join(folder, "out", variant.file)).equals(before.written)
      ? []
      : ["the finished program, run again, changed its file"]),
    ...(left.length === 1 ? [] : [`files are left behind: ${left.join(", ")}`])
  ]
}
