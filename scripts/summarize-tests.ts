// Prints which tests failed and, as its last line, `N passed, N failed`, from the JSON report of Vitest.
// Exits 1 when something failed, when nothing ran, or when there is no report.
import { readFileSync } from "node:fs"

interface Report {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numPendingTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

const path = process.argv[2]
if (path === undefined) throw new Error("usage: node scripts/summarize-tests.ts REPORT")

const read = (): Report | undefined => {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report
  } catch (cause) {
    console.log(`No test report: ${(cause as Error).message}`)
    return undefined
  }
}

const report = read()
// A file that could not be loaded has failed without any test of its own having failed, so it counts as one.
const failures = (report?.testResults ?? []).flatMap((file) => {
  const tests = file.assertionResults.filter((test) => test.status === "failed").map((test) => `${file.name}: ${test.fullName}`)
  return file.status === "failed" && tests.length === 0 ? [`${file.name}: ${file.message.split("\n")[0]}`] : tests
})
for (const failure of failures) console.log(`failed: ${failure}`)

const passed = report?.numPassedTests ?? 0
const failed = report === undefined ? 1 : Math.max(failures.length, report.success ? 0 : 1)
const skipped = report?.numPendingTests ?? 0
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
