// Kills a program again and again, lets it go on, and looks at each line of what it has written.
//
//   node tests/drivers/kill.ts --rounds 100 --lines 1000000 --seed 1 [--variant plain,gzip,ndjson,totals,append,batch,pool] [--interval 60]
//
// Prints a line for each variant, with the moments at which processes were killed, and a JSON summary. Exit status 1 where
// anything is not as a run without kills would have it.
import { parseArgs } from "node:util"
import { killedRuns, type KillReport, phases } from "./killedRuns.ts"
import { type VariantName, variantNames } from "./variants.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    lines: { type: "string", default: "200000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    interval: { type: "string", default: "60" },
    variant: { type: "string", default: variantNames.join(",") }
  }
})

const columns = ["kills", "runs", ...phases, "lost", "doubled", "torn", "reordered", "wrong totals", "failures"]
const row = (name: string, cells: ReadonlyArray<unknown>) =>
  console.log([name.padEnd(8), ...cells.map((cell, column) => String(cell).padStart(columns[column]!.length + 2))].join(""))

console.log(`seed ${values.seed}, ${values.lines} lines, a checkpoint every ${values.interval} ms`)
row("", columns)
const reports: Array<KillReport> = []
for (const variant of values.variant.split(",") as ReadonlyArray<VariantName>) {
  const report = await killedRuns({
    variant,
    kills: Number(values.rounds),
    lines: Number(values.lines),
    seed: Number(values.seed),
    intervalMs: Number(values.interval)
  })
  reports.push(report)
  const { doubled, failures, kills, lost, reordered, runs, torn, wrongTotals } = report
  row(variant, [kills, runs, ...phases.map((phase) => report.phases[phase]), lost, doubled, torn, reordered, wrongTotals, failures.length])
  for (const failure of failures) console.log(`  ${failure}`)
}
console.log(JSON.stringify(reports, null, 2))
const isClean = (report: KillReport) =>
  report.lost + report.doubled + report.torn + report.reordered + report.wrongTotals + report.failures.length === 0
process.exitCode = reports.every(isClean) ? 0 : 1
