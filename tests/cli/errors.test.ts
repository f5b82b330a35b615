import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { exitStatus, exitStatusOf, isExpected, statusByTag } from "../../src/cli/exitStatus.ts"
import { renderError } from "../../src/cli/renderError.ts"
import { UsageError } from "../../src/cli/UsageError.ts"

const tagged = (tag: string, cause?: unknown) => Object.assign(new Error(`${tag} happened`, { cause }), { _tag: tag })
const rtfs = (kind: string, type: string, cause?: unknown) =>
  Object.assign(new Error("broken", { cause }), { name: "RtfsError", kind, type })
const system = (code: string) => Object.assign(new Error(code), { code, syscall: "open", path: "data.csv" })

describe("exitStatus", () => {
  it("knows every tag that the sources define", () => {
    const root = fileURLToPath(new URL("../../src", import.meta.url))
    const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))
    const tags = paths.flatMap((path) =>
      [...readFileSync(join(root, path), "utf8").matchAll(/readonly _tag = "(\w+)"/g)].map(([, tag]) => `${tag!} (${path})`)
    )
    expect(tags.length).toBeGreaterThan(5)
    expect(tags.filter((tag) => !(tag.split(" ")[0]! in statusByTag))).toEqual([])
  })

  it.each([
    [rtfs("read", "syntax-error"), exitStatus.wrongInput],
    [rtfs("syntax", "syntax-error"), exitStatus.wrongInput],
    [rtfs("limit", "budget-exhausted"), exitStatus.limit],
    [rtfs("runtime", "division-by-zero"), exitStatus.failed],
    [rtfs("runtime", "capability-denied"), exitStatus.denied],
    [rtfs("runtime", "constructor"), exitStatus.failed],
    [rtfs("runtime", "host-error", tagged("PermissionDenied")), exitStatus.denied],
    [tagged("HandleMisuse", system("ENOENT")), exitStatus.io],
    [system("EACCES"), exitStatus.denied],
    [system("ENOSPC"), exitStatus.io],
    [system("ECONNREFUSED"), exitStatus.unavailable],
    [new TypeError("x is not a function"), exitStatus.limit],
    ["thrown text", exitStatus.limit],
    [undefined, exitStatus.limit]
  ])("takes the most specific failure of %o", (error, status) => expect(exitStatusOf(error)).toBe(status))

  it("ends for an error that causes itself", () => {
    const error = tagged("HandleMisuse")
    error.cause = error
    expect(exitStatusOf(error)).toBe(exitStatus.failed)
    expect(renderError(error)).toBe("HandleMisuse happened")
  })
})

describe("renderError", () => {
  it("says where the help is for a wrong command line", () => {
    expect(renderError(new UsageError("run needs FILE.", "run"))).toBe("run needs FILE.\nSee: rtfs-streams run --help")
  })

  it("lets an error of a program show its line", () => {
    const error = Object.assign(rtfs("runtime", "type-error"), { render: (source?: string) => `broken in ${source}` })
    expect(renderError(error, { source: "(+ 1 nil)" })).toBe("broken in (+ 1 nil)")
  })

  it("names the causes once, and files as they were written", () => {
    const error = tagged("HandleMisuse", tagged("FileFailure", system("ENOENT")))
    expect(renderError(error)).toBe(
      "HandleMisuse happened\n  because: FileFailure happened\n"
        + '  because: "data.csv": there is no such file. Check the path; relative ones start at the working directory.'
    )
  })

  it("shows the stack of an internal error only with --debug", () => {
    const error = new TypeError("x is not a function")
    expect(isExpected(error)).toBe(false)
    expect(renderError(error)).toBe(
      "Internal error: TypeError: x is not a function\nThis is a fault of rtfs-streams, not of the program. Run it again with --debug to see where it happened."
    )
    expect(renderError(error, { debug: true })).toContain("errors.test.ts")
  })
})
