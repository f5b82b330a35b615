import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { createEvaluator, expand, isError, print, printForm, readForms, RtfsError } from "../src/rtfs/index.ts"
import { aboutFunction, type StreamFunction } from "../src/scheduler/index.ts"
import { rtfsProgram } from "./arbitraries/RtfsProgram.ts"
import { BeyondModel, evaluateModel, type ModelOutcome } from "./models/RtfsModel.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 300)

/** A value as the model prints it: without the messages of errors, which it does not know. */
const shown = (value: unknown): string => {
  if (isError(value)) return "#<error>"
  if (Array.isArray(value)) return `[${value.map(shown).join(" ")}]`
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return print(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `:${key} ${shown(item)}`)
    .join(", ")}}`
}

/** How the host answers: at once, later, or sometimes so and sometimes so. */
type Answer = "now" | "later" | "mixed"

const evaluated = async (source: string, answer: Answer): Promise<ModelOutcome> => {
  const effects: Array<string> = []
  const reply = (value: unknown): unknown =>
    answer === "now" || (answer === "mixed" && effects.length % 3 !== 0) ? value : Promise.resolve(value)
  const globals = new Map<string, unknown>([
    [
      "tick",
      (value: unknown) => {
        effects.push(shown(value))
        return reply(
          typeof value === "number"
            ? value < 2 ** 53
              ? value + 1
              : BigInt(value) + 1n
            : typeof value === "bigint"
              ? value + 1n === -(2n ** 53n)
                ? -(2 ** 53)
                : value + 1n
              : value
        )
      }
    ],
    [
      "refuse",
      (value: unknown) => {
        effects.push(`refuse ${shown(value)}`)
        if (answer === "later") return Promise.reject(new Error("refused"))
        throw new Error("refused")
      }
    ]
  ])
  try {
    const value = await createEvaluator({ call: () => null, globals }).evaluate(source)
    return { text: shown(value), effects }
  } catch (error) {
    assert.ok(error instanceof RtfsError, `not a typed error: ${String(error)}`)
    return { text: `!${typeOf(error)}`, effects }
  }
}

/** The model knows no types of thrown values. */
const typeOf = (error: RtfsError): string => ("payload" in error ? "thrown" : error.type)

const model = (source: string): ModelOutcome | undefined => {
  try {
    return evaluateModel(source)
  } catch (error) {
    if (error instanceof BeyondModel) return undefined
    throw error
  }
}

describe("Compiler", () => {
  it("evaluates as the reference does, however the host answers, and performs each effect once", () =>
    fc.assert(
      fc.asyncProperty(rtfsProgram, fc.constantFrom<Answer>("now", "later", "mixed"), async (source, answer) => {
        const expected = model(source)
        fc.pre(expected !== undefined)
        assert.deepEqual(await evaluated(source, answer), expected)
      }),
      { numRuns }
    ))

  it("gives the same for a program and what expand prints of it", () =>
    fc.assert(
      fc.asyncProperty(rtfsProgram, async (source) => {
        assert.deepEqual(await evaluated(expand(source), "mixed"), await evaluated(source, "mixed"))
      }),
      { numRuns }
    ))

  it("gives the same for a function, its inline text and its remade self", () =>
    fc.assert(
      fc.property(rtfsProgram, (source) => {
        const forms = readForms(source)
        const wrapped = `${forms.slice(0, -1).map(printForm).join(" ")} (fn [] ${printForm(forms.at(-1)!)})`
        const effects: Array<string> = []
        const globals = new Map<string, unknown>([
          ["tick", (value: unknown) => (effects.push(print(value)), value)],
          ["refuse", () => null]
        ])
        const evaluator = createEvaluator({ call: () => null, globals })
        const fn = evaluator.evaluateNow(wrapped) as StreamFunction
        const about = fn[aboutFunction]!
        if (!about.synchronous || about.inline === undefined) return
        const { free, source: text } = about.inline
        const inlined = new Function(...Object.keys(free), `"use strict"; return (${text})`)(...Object.values(free)) as StreamFunction
        const outcome = (run: StreamFunction): string => {
          if (about.meter !== undefined) Object.assign(about.meter, { fuel: about.meter.slice, slices: 0 })
          try {
            return print(run())
          } catch (error) {
            assert.ok(error instanceof RtfsError, `not a typed error: ${String(error)}`)
            return error.message
          }
        }
        assert.equal(outcome(inlined), outcome(fn))
      }),
      { numRuns }
    ))
})
