import { spawn, spawnSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { numberedLines, randomOf } from "./numberedLines.ts"
import { checkOutput, programOf, variants } from "./variants.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export interface DamageOptions {
  readonly mutations: number
  readonly seed: number
  readonly lines: number
  /** Hears of each mutation and its outcome. */
  readonly onOutcome?: (what: string, outcome: string) => void
}

export interface DamageReport {
  readonly seed: number
  /** The output was complete; `older` of them had to go on with an older checkpoint, and said so. */
  readonly exact: number
  readonly older: number
  /** It ended with 74 and said what to do. */
  readonly refused: number
  readonly wrong: ReadonlyArray<string>
}

/**
 * Damages one file of the data directory of a process that was killed, and lets the program go on: its output is complete
 * then, or it says what is wrong and ends with 74. The output is one that grows, so that beginning anew would show.
 */
export const damagedRuns = async ({ lines, mutations, onOutcome, seed }: DamageOptions): Promise<DamageReport> => {
  const random = randomOf(seed)
  const root = mkdtempSync(join(tmpdir(), "rtfs-streams-damage-"))
  const wrong: Array<string> = []
  const report = { exact: 0, older: 0, refused: 0 }
  try {
    const killed = join(root, "killed")
    prepare(killed, lines, random)
    await killInTheMiddle(killed)
    const older = join(root, "older")
    cpSync(join(killed, "data"), older, { recursive: true })
    await killInTheMiddle(killed)
    for (let ordinal = 1; ordinal <= mutations; ordinal++) {
      const folder = join(root, `run-${ordinal}`)
      cpSync(killed, folder, { recursive: true })
      const what = mutate(join(folder, "data"), older, random)
      const { outcome, problem } = goOn(folder, lines)
      if (problem === undefined) report[outcome]++
      else wrong.push(`${what}: ${problem}`)
      onOutcome?.(what, problem ?? outcome)
      rmSync(folder, { recursive: true, force: true })
    }
    return { seed, ...report, wrong }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const prepare = (folder: string, lines: number, random: () => number): void => {
  mkdirSync(join(folder, "out"), { recursive: true })
  writeFileSync(join(folder, "in.txt"), numberedLines(lines, random))
  writeFileSync(join(folder, "program.rtfs"), programOf(variants.append, 25))
  writeFileSync(join(folder, "out", variants.append.file), variants.append.before)
}

const args = [main, "run", "program.rtfs", "--data-dir", "data", "--allow-read", ".", "--allow-write", "out", "--json"]

/** Some checkpoints later than it began. */
const killInTheMiddle = async (folder: string): Promise<void> => {
  const output = join(folder, "out", variants.append.file)
  const before = statSync(output).size
  const child = spawn(process.execPath, args, { cwd: folder, stdio: "ignore" })
  const ended = once(child, "exit")
  while (child.exitCode === null && statSync(output).size < before + 400_000) await sleep(1)
  child.kill("SIGKILL")
  const [, signal] = await ended
  if (signal !== "SIGKILL") throw new Error("It ended before it was killed: give it more lines.")
}

type Outcome = { readonly outcome: "exact" | "older" | "refused"; readonly problem?: string | undefined }

const goOn = (folder: string, lines: number): Outcome => {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 60_000 })
  if (status === 74) {
    const says = /(restore|restored|copy|check|move|give|free|begin anew)/i.test(stderr)
    return { outcome: "refused", problem: says ? undefined : `74 without a word on what to do: ${stderr}` }
  }
  if (status !== 0) return { outcome: "refused", problem: `status ${String(status)}: ${stderr}` }
  const found = checkOutput(variants.append, readFileSync(join(folder, "out", variants.append.file)), lines)
  const isExact = found.lost + found.doubled + found.torn + found.reordered === 0
  const { items } = JSON.parse(stdout) as { readonly items: number }
  if (!isExact || items !== lines) return { outcome: "exact", problem: `status 0, but ${JSON.stringify({ ...found, items })}` }
  return { outcome: stderr.includes("is damaged") ? "older" : "exact" }
}

type Mutation = (file: string, folders: { readonly data: string; readonly older: string; readonly random: () => number }) => void

const at = (size: number, random: () => number): number => Math.floor(random() * size)

const flip = (file: string, random: () => number): void => {
  const bytes = readFileSync(file)
  if (bytes.length === 0) return appendFileSync(file, "x")
  bytes[at(bytes.length, random)]! ^= 1 << at(8, random)
  writeFileSync(file, bytes)
}

const noise = (length: number, random: () => number): Buffer => Buffer.from(Array.from({ length }, () => at(256, random)))

const mutationsByName: Readonly<Record<string, Mutation>> = {
  truncate: (file, { random }) => truncateSync(file, at(statSync(file).size, random)),
  empty: (file) => truncateSync(file, 0),
  "flip a bit of": (file, { random }) => flip(file, random),
  "flip 50 bits of": (file, { random }) => Array.from({ length: 50 }, () => flip(file, random)),
  "zero a page of": (file, { random }) => {
    const bytes = readFileSync(file)
    const page = at(Math.ceil(bytes.length / 4096), random) * 4096
    writeFileSync(file, bytes.fill(0, page, Math.min(page + 4096, bytes.length)))
  },
  "exchange two pages of": (file, { random }) => {
    const bytes = readFileSync(file)
    const pages = Math.floor(bytes.length / 4096)
    if (pages < 2) return flip(file, random)
    const [left, right] = [at(pages, random) * 4096, at(pages, random) * 4096] as const
    const kept = Buffer.from(bytes.subarray(left, left + 4096))
    bytes.copy(bytes, left, right, right + 4096)
    kept.copy(bytes, right)
    writeFileSync(file, bytes)
  },
  delete: (file) => rmSync(file),
  "replace by noise": (file, { random }) => writeFileSync(file, noise(Math.max(100, Math.min(statSync(file).size, 20_000)), random)),
  rename: (file) => renameSync(file, `${file}.bak`),
  "add noise to the end of": (file, { random }) => appendFileSync(file, noise(1 + at(9000, random), random)),
  "put an older copy in place of": (file, { older }) => {
    const copy = join(older, file.slice(file.lastIndexOf("/") + 1))
    if (existsSync(copy)) copyFileSync(copy, file)
  },
  "copy over another the file": (file, { data, random }) => {
    const names = readdirSync(data)
    copyFileSync(
      file,
      join(data, names[at(names.length, random)]!) === file ? `${file}.copy` : join(data, names[at(names.length, random)]!)
    )
  },
  // Nothing to a superuser.
  "take away the permissions of": (file) => chmodSync(file, 0),
  "put a folder in place of": (file) => {
    rmSync(file)
    mkdirSync(file)
  }
}

/** @returns what was done, for a report */
const mutate = (data: string, older: string, random: () => number): string => {
  const names = readdirSync(data).sort()
  // Most of what is there is in the database.
  const name = random() < 0.5 ? "state.db" : names[at(names.length, random)]!
  const kinds = Object.keys(mutationsByName)
  const kind = kinds[at(kinds.length, random)]!
  mutationsByName[kind]!(join(data, name), { data, older, random })
  return `${kind} ${name}`
}
