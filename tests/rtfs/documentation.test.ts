import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { specialNames } from "../../src/rtfs/analyze/index.ts"
import { documentation } from "../../src/rtfs/documentation/index.ts"
import { isLowered, lowerings } from "../../src/rtfs/expand/lowering.ts"
import { createEvaluator, type DocumentationExample, expand, type Form, print, readForms, RtfsError } from "../../src/rtfs/index.ts"
import { library } from "../../src/rtfs/library/index.ts"
import { prelude } from "../../src/rtfs/prelude.ts"
import { recordingHost } from "./evaluation.ts"

const names = (kind: string) =>
  documentation
    .filter((entry) => entry.kind === kind)
    .map((entry) => entry.name)
    .toSorted()

let host: StreamHost
beforeAll(async () => {
  host = await StreamHost.start({ print: () => {} })
})
afterAll(() => host.stop({ timeout: 0 }))

describe("the documentation of the language", () => {
  it("has every special form, library function, call of the host and stream form, and no others", () => {
    expect(names("special form")).toEqual([...specialNames].toSorted())
    expect(names("function")).toEqual([...library.keys()].toSorted())
    expect(names("call of the host")).toEqual([...prelude.keys()].toSorted())
    const threading = ["->", "->>"]
    expect([...names("stream form"), ...threading].toSorted()).toEqual(Object.keys(lowerings).toSorted())
    expect(names("stream form").every(isLowered)).toBe(true)
  })

  it.each(documentation.map((entry) => [entry.name, entry] as const))("is complete for %s", (name, entry) => {
    expect(entry.signature).toContain(entry.kind === "type" ? entry.name.replace("maybe", "T?") : name)
    expect(entry.summary).toMatch(/\.$|\)$/)
    expect(entry.examples.length).toBeGreaterThan(0)
    // Whoever reads that it fails with a type can look for that type.
    for (const example of entry.examples)
      if ("error" in example) expect(entry.errors ?? entry.summary).toMatch(entry.name === "throw" ? /./ : `:${example.error}`)
  })

  const examples = documentation.flatMap((entry) => entry.examples.map((example) => [example.source, example] as const))
  it.each(examples)("%s gives what it says", async (source, example) => {
    expect(await outcome(source, example)).toEqual(expected(example))
  })
})

const expected = (example: DocumentationExample): unknown => {
  if ("expansion" in example) return plain(readForms(example.expansion))
  if ("call" in example) return example.call
  return "value" in example ? example.value : { error: example.error }
}

const outcome = async (source: string, example: DocumentationExample): Promise<unknown> => {
  if ("expansion" in example) return plain(readForms(expand(source)))
  if ("call" in example) {
    const { calls, host: recording } = recordingHost()
    await createEvaluator(recording).evaluate(source)
    return calls.join("\n")
  }
  try {
    return print(await host.eval(source))
  } catch (error) {
    if (error instanceof RtfsError) return { error: error.type }
    throw error
  }
}

/** Forms without their positions. */
const plain = (forms: ReadonlyArray<Form>): unknown =>
  JSON.parse(JSON.stringify(forms, (key, value: unknown) => (key === "at" ? undefined : value)))
