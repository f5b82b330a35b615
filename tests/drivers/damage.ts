// Damages the data directory of a killed program, in many ways, and looks whether anything is lost in silence.
//
//   node tests/drivers/damage.ts --mutations 120 --seed 1
//
// Exit status 1 where a program went on to a wrong output, or ended in any other way than with 74 and a word on what to do.
import { parseArgs } from "node:util"
import { damagedRuns } from "./damagedRuns.ts"

const { values } = parseArgs({
  options: {
    mutations: { type: "string", default: "120" },
    lines: { type: "string", default: "200000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) }
  }
})

const report = await damagedRuns({
  mutations: Number(values.mutations),
  lines: Number(values.lines),
  seed: Number(values.seed),
  onOutcome: (what, outcome) => console.log(`${what.padEnd(48)} ${outcome}`)
})
console.log(JSON.stringify(report, null, 2))
process.exitCode = report.wrong.length === 0 ? 0 : 1
