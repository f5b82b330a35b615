// Kills a server of its own, and its own process, again and again while a stream works with it, and adds up every item.
//
//   node tests/drivers/servers.ts --items 100000 --server-kills 10 --own-kills 5 --seed 1 [--only postgres/query,redis/queue]
//
// Prints a line for each server and kind of stream, and a JSON summary. Exit status 1 where anything is not as promised.
import { parseArgs } from "node:util"
import { promises, serverCases } from "./serversCases.ts"
import { serverKinds } from "./serversKinds.ts"
import { missing } from "./serversProcess.ts"
import { serverRun } from "./serversRuns.ts"

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "20000" },
    "server-kills": { type: "string", default: "5" },
    "own-kills": { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string" }
  }
})

// Servers are killed when the process exits, and it exits in order.
for (const signal of ["SIGINT", "SIGTERM", "SIGPIPE"] as const) process.on(signal, () => process.exit(1))
process.stdout.on("error", () => process.exit(1))

console.log(`seed ${values.seed}`)
const reports = []
for (const { scenario, server } of serverCases) {
  const name = `${server}/${scenario}`
  if (values.only !== undefined && !values.only.split(",").includes(name)) continue
  const lacks = missing(serverKinds[server])
  if (lacks !== undefined) {
    console.log(`${name.padEnd(16)} skipped: ${lacks}`)
    continue
  }
  const report = await serverRun({
    server,
    scenario,
    items: Number(values.items),
    serverKills: Number(values["server-kills"]),
    ownKills: Number(values["own-kills"]),
    seed: Number(values.seed)
  })
  const broken = promises(report)
  reports.push({ ...report, broken })
  console.log(
    `${name.padEnd(16)} kills ${report.killedServers} + ${report.killedProcesses}, lost ${report.lost}, repeated ${report.repeated}, `
      + `dead letters ${report.deadLetters} of ${report.expectedDeadLetters}, unreadable ${report.brokenMessages}, left ${report.left}, `
      + `${report.mostMegabytes} MB, ${report.seconds} s ${broken.length === 0 ? "" : `BROKEN: ${broken.join("; ")}`}`
  )
}
console.log(JSON.stringify(reports, null, 2))
process.exitCode = reports.every(({ broken }) => broken.length === 0) ? 0 : 1
