// Do all scenarios of the official conformance suite for clients pass? Prints one line for each.
//   node tests/drivers/conformanceClients.ts [FOLDER of @modelcontextprotocol/conformance] [part of a scenario's name]
import { runScenario, scenariosOf, suiteIn } from "./conformanceScenarios.ts"

const [folder, part = ""] = process.argv.slice(2)
const suite = suiteIn(folder)
if (suite === undefined) throw new Error("The package @modelcontextprotocol/conformance is not there: name its folder.")
const left = [...(await scenariosOf(suite))].filter(({ name }) => name.includes(part))
const all = left.length
let failures = 0
const work = async (): Promise<void> => {
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const { passed, problem } = await runScenario(suite, next)
    if (problem !== undefined) failures++
    console.log(
      `${problem === undefined ? "passes" : "FAILS "} ${passed.padStart(6)} ${next.name} (${next.era})${problem === undefined ? "" : `\n${problem}`}`
    )
  }
}
await Promise.all([work(), work()])
console.log(`${all - failures} of ${all} scenarios pass.`)
process.exitCode = failures === 0 ? 0 : 1
