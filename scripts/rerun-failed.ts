// Runs the files of failed tests once more, by themselves, and puts their second results into the report.
//
// A test that passes then is not steady: it stood in the way of another, or the machine in its. It is named, so that somebody
// looks at it, but what is submitted is not refused because of it. More than a few such files are no bad luck.
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { relative } from "node:path"

const mostFiles = 8

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly fullName: string; readonly status: string }>
  }>
}

const [path = "out/test-results.json"] = process.argv.slice(2)
const read = (file: string): Report => JSON.parse(readFileSync(file, "utf8")) as Report
const first = read(path)
const failed = first.testResults.filter(({ status }) => status === "failed")
const files = failed.map(({ name }) => relative(process.cwd(), name))
if (files.length === 0 || files.length > mostFiles) process.exit(1)

console.log(`\nOnce more, by themselves: ${files.join(" ")}`)
const secondPath = path.replace(".json", "-again.json")
const { status } = spawnSync("vitest", ["run", ...files, "--reporter=default", "--reporter=json", `--outputFile.json=${secondPath}`], { stdio: "inherit" })
const second = read(secondPath)
const again = new Map(second.testResults.map((result) => [result.name, result]))
const testResults = first.testResults.map((result) => again.get(result.name) ?? result)
const numPassedTests = testResults.flatMap(({ assertionResults }) => assertionResults).filter((test) => test.status === "passed").length
writeFileSync(path, JSON.stringify({ ...first, testResults, numPassedTests, success: status === 0 }))
if (status !== 0) process.exit(1)
for (const { assertionResults, name } of failed) {
  for (const { fullName, status: outcome } of assertionResults) {
    if (outcome === "failed") console.log(`UNSTEADY ${relative(process.cwd(), name)}: ${fullName} failed, and passed when it was run again`)
  }
}
