// `npm run bench [-- --json] [NAME …]`: every benchmark, one after the other, each in a process of its own; one table.
//
// Names choose benchmarks whose file name contains them. A ratio compares ours with its peer inside one process, in
// turn, by CPU time; so a busy machine makes the runs longer but hardly the ratios worse.

import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Row } from "./Row.ts"

interface Answer {
  readonly benchmark: string
  readonly question: string
  readonly rows: ReadonlyArray<Row>
  readonly error?: string
}

const folder = fileURLToPath(new URL(".", import.meta.url))
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const asJson = process.argv.includes("--json")

const measure = (file: string, scratch: string): Answer => {
  const benchmark = file.replace(".bench.ts", "")
  const question = readFileSync(join(folder, file), "utf8").split("\n")[0]!.replace(/^\/\/ /, "")
  const answer = join(scratch, `${benchmark}.json`)
  const run = `import { run } from ${JSON.stringify(new URL(file, import.meta.url).href)}
import { writeFileSync } from "node:fs"
writeFileSync(${JSON.stringify(answer)}, JSON.stringify(await run()))
process.exit(0)`
  const { status, stderr } = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "--eval", run], { encoding: "utf8" })
  return status === 0
    ? { benchmark, question, rows: JSON.parse(readFileSync(answer, "utf8")) as ReadonlyArray<Row> }
    : { benchmark, question, rows: [], error: stderr.trim().split("\n").slice(-3).join(" ") }
}

const verdict = ({ ratio, target }: Row): string => (target === undefined ? "" : ratio >= target ? `met (≥ ${target})` : `MISSED (≥ ${target})`)

const print = ({ benchmark, error, question, rows }: Answer): void => {
  console.log(`\n${benchmark}: ${question}`)
  if (error !== undefined) console.log(`  failed: ${error}`)
  const width = Math.max(...rows.map(({ name }) => name.length), 0)
  for (const row of rows) {
    const worst = row.worst === undefined ? "" : ` (worst ${row.worst.toFixed(2)})`
    console.log(`  ${row.name.padEnd(width)}  ${row.ratio.toFixed(2).padStart(7)} ${row.unit}${worst}  ${verdict(row)}`)
  }
}

const scratch = mkdtempSync(join(tmpdir(), "rtfs-streams-bench-"))
const commit = (() => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return "unknown"
  }
})()
const machine = `Node ${process.version}, ${cpus()[0]?.model ?? "unknown CPU"}, ${availableParallelism()} threads, commit ${commit}`
if (!asJson) console.log(`${machine}\nRatios of CPU time in one process: ours against the peer. More is better.`)
const answers: Array<Answer> = []
try {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".bench.ts")).sort()) {
    if (wanted.length > 0 && !wanted.some((name) => file.includes(name))) continue
    const answer = measure(file, scratch)
    answers.push(answer)
    if (!asJson) print(answer)
  }
} finally {
  rmSync(scratch, { recursive: true })
}
if (asJson) console.log(JSON.stringify({ machine, answers }, null, 2))
// A benchmark that could not run is a failure; a missed target is a finding, and is printed as such.
process.exitCode = answers.some(({ error }) => error !== undefined) ? 1 : 0
