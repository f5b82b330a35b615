import fc from "fast-check"
import {
  batchModel,
  echoModel,
  filterModel,
  flatMapModel,
  mapModel,
  reduceModel,
  scanModel,
  type StageModel
} from "../models/StageModel.ts"

const small = fc.integer({ min: 1, max: 5 })

/** Any one operator. */
export const stageModel: fc.Arbitrary<StageModel> = fc.oneof(
  small.map(mapModel),
  small.map((divisor) => filterModel(divisor + 1)),
  fc.integer({ min: 0, max: 4 }).map(flatMapModel),
  small.map(echoModel),
  small.map(batchModel),
  small.map(scanModel)
)

/** Any chain of operators; it may end in a fold. */
export const chain: fc.Arbitrary<ReadonlyArray<StageModel>> = fc
  .tuple(fc.array(stageModel, { minLength: 1, maxLength: 5 }), fc.option(small.map(reduceModel), { nil: undefined }))
  .map(([models, last]) => (last ? [...models, last] : models))
  .map((models) => Object.assign(models, { [fc.toStringMethod]: () => models.map(({ text }) => text).join(" | ") }))

export const items: fc.Arbitrary<ReadonlyArray<number>> = fc.array(fc.nat(40), { maxLength: 30 })

/** What happens to the calls of functions, in the order of the calls; after the end of the list all calls work. */
export type Fault = "works" | "throws" | "promises" | "promises-and-fails"
export const faults: fc.Arbitrary<ReadonlyArray<Fault>> = fc.array(
  fc.constantFrom<Fault>("works", "works", "throws", "promises", "promises-and-fails"),
  { maxLength: 40 }
)
