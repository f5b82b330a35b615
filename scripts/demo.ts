// `npm run demo`: the first example on the command line, with the permissions it needs and no others.

import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"

const program = "examples/01-late-flights/late-flights.rtfs"
const flags = ["--allow-read", "node_modules/vega-datasets/data", "--allow-write", "out"]
// Without a terminal there is no live region; the plain form still ends with the line that says how fast it was.
const progress = process.stderr.isTTY ? "auto" : "plain"

mkdirSync("out", { recursive: true })
console.log(`rtfs-streams run ${program} ${flags.join(" ")}\n`)
const { status } = spawnSync(process.execPath, ["src/cli/main.ts", "run", program, ...flags, "--progress", progress], { stdio: "inherit" })
process.exitCode = status ?? 1
