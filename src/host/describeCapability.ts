import { type Capability, specsOf } from "../capabilities/index.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"

/** What there is to say of a capability, from its definition. */
export const describeCapability = (capability: Capability): CapabilityDescription => {
  const { effects, example, id, kind, notes, spec, summary } = capability
  const common = { id, kind, summary, spec, effects, notes, example }
  if (capability.kind === "control") return { ...common, arguments: capability.arguments, options: [] }
  const { backpressure, delivery, order, short, subject } = capability
  return {
    ...common,
    arguments: subject.is === "none" ? [] : subject.is === "value" ? [subject.name] : [subject.optional === true ? "stream?" : "stream"],
    options: Object.entries(specsOf(capability))
      .filter(([name]) => !(subject.is === "value" && subject.name === name))
      .map(([name, option]) => ({
        name,
        type: option.type,
        required: option.required,
        ...(option.default === undefined ? {} : { default: option.default }),
        description: option.description
      })),
    order,
    delivery,
    backpressure,
    ...(short.length === 0 ? {} : { short: `(${[id, ...(subject.is === "none" ? [] : ["stream"]), ...short].join(" ")})` })
  }
}
