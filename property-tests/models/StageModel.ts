import type { StageSpec } from "../../src/actors/index.ts"

/** One operator on whole numbers, twice: as a stage, and as what it means for a whole list. */
export interface StageModel {
  readonly text: string
  /** `call` stands around the stage's function: it decides whether that call works. */
  readonly stage: (call: (compute: () => unknown, value: unknown) => unknown) => ReadonlyArray<StageSpec>
  /** Applies it to a list; `works` says of a value whether the function works for it or the value is to be skipped. */
  readonly list: (items: ReadonlyArray<number>, works: (value: unknown) => boolean) => ReadonlyArray<number>
}

const isTruthy = (result: string) => `${result} !== false && ${result} != null`

export const mapModel = (factor: number): StageModel => ({
  text: `map ×${factor}`,
  stage: (call) => [
    { kind: "stage", capability: "test.map", apply: { fn: (value: number) => call(() => (value * factor + 1) % 997, value) } }
  ],
  list: (items, works) => items.filter(works).map((value) => (value * factor + 1) % 997)
})

export const filterModel = (divisor: number): StageModel => ({
  text: `filter %${divisor}`,
  stage: (call) => [
    {
      kind: "stage",
      capability: "test.filter",
      // Anything but false and nil lets an item through: 0 is truthy.
      apply: { fn: (value: number) => call(() => (value % divisor === 0 ? null : 0), value) },
      then: (names) => `if (${isTruthy(names.result)}) ${names.emit(names.value)}`
    }
  ],
  list: (items, works) => items.filter(works).filter((value) => value % divisor !== 0)
})

export const flatMapModel = (most: number): StageModel => {
  const expand = (value: number) => Array.from({ length: value % (most + 1) }, (_, index) => value + index)
  return {
    text: `flat-map ≤${most}`,
    stage: (call) => [
      {
        kind: "stage",
        capability: "test.flat-map",
        apply: { fn: (value: number) => call(() => expand(value), value) },
        then: (names) => names.emitEach(names.result)
      }
    ],
    list: (items, works) => items.filter(works).flatMap(expand)
  }
}

/** Emits a single item or a list of two, by the item: a stage that does both. */
export const echoModel = (divisor: number): StageModel => ({
  text: `echo %${divisor}`,
  stage: () => [
    {
      kind: "stage",
      capability: "test.echo",
      constants: { divisor },
      then: (names) =>
        `if (${names.value} % ${names.constant("divisor")} === 0) ${names.emitEach(`[${names.value}, ${names.value}]`)} else ${names.emit(names.value)}`
    }
  ],
  list: (items) => items.flatMap((value) => (value % divisor === 0 ? [value, value] : [value]))
})

const sum = (items: ReadonlyArray<number>) => items.reduce((total, item) => total + item, 0) % 997

/** Batches and their sums: the rest of the last batch comes at the end. */
export const batchModel = (size: number): StageModel => ({
  text: `batch ${size}`,
  stage: (call) => [
    {
      kind: "stage",
      capability: "test.batch",
      constants: { size },
      state: { held: () => [] },
      then: (names) => {
        const held = names.state("held")
        const full = names.local("full")
        return `${held}.push(${names.value}); if (${held}.length === ${names.constant("size")}) { const ${full} = ${held}; ${held} = []; ${names.emit(full)} }`
      },
      atEnd: (names) => {
        const held = names.state("held")
        const rest = names.local("rest")
        return `if (${held}.length > 0) { const ${rest} = ${held}; ${held} = []; ${names.emit(rest)} }`
      }
    },
    { kind: "stage", capability: "test.sum", apply: { fn: (batch: ReadonlyArray<number>) => call(() => sum(batch), batch) } }
  ],
  list: (items, works) =>
    Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))
      .filter(works)
      .map(sum)
})

/** A fold that emits each step. The accumulator is assigned after the call, so a call that fails leaves it alone. */
export const scanModel = (first: number): StageModel => ({
  text: `scan ${first}`,
  stage: (call) => [
    {
      kind: "stage",
      capability: "test.scan",
      state: { total: () => first },
      apply: {
        fn: (total: number, value: number) => call(() => (total + value) % 997, value),
        args: (names) => [names.state("total"), names.value]
      },
      then: (names) => `${names.state("total")} = ${names.result}; ${names.emit(names.result)}`
    }
  ],
  list: (items, works) => {
    let total = first
    return items.filter(works).map((value) => (total = (total + value) % 997))
  }
})

/** A fold that emits its result once, at the end: also for no items. */
export const reduceModel = (first: number): StageModel => ({
  text: `reduce ${first}`,
  stage: (call) => [
    {
      kind: "stage",
      capability: "test.reduce",
      state: { total: () => first },
      apply: {
        fn: (total: number, value: number) => call(() => (total + value) % 997, value),
        args: (names) => [names.state("total"), names.value]
      },
      then: (names) => `${names.state("total")} = ${names.result}`,
      atEnd: (names) => names.emit(names.state("total"))
    }
  ],
  list: (items, works) => [items.filter(works).reduce((total, value) => (total + value) % 997, first)]
})
