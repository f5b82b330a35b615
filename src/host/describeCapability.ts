import { type Capability, type OptionSpecs, specsOf } from "../capabilities/index.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"

/** What there is to say of a capability, from its definition. */
export const describeCapability = (capability: Capability): CapabilityDescription => {
  const { effects, example, id, kind, notes, spec, summary } = capability
  const common = { id, kind, summary, spec, effects, notes, example }
  if (capability.kind === "control") {
    const options = optionsOf(capability.options)
    // The map of options is told as options.
    return { ...common, arguments: options.length === 0 ? capability.arguments : capability.arguments.filter((name) => name !== "options" && name !== "filter?"), options }
  }
  const { backpressure, delivery, order, short, subject } = capability
  return {
    ...common,
    arguments: subject.is === "none" ? [] : subject.is === "value" ? [subject.name] : [subject.optional === true ? "stream?" : "stream"],
    options: optionsOf(specsOf(capability)).filter(({ name }) => !(subject.is === "value" && subject.name === name)),
    order,
    delivery,
    backpressure,
    ...(short.length === 0 ? {} : { short: `(${[id, ...(subject.is === "none" ? [] : ["stream"]), ...short].join(" ")})` })
  }
}

const optionsOf = (specs: OptionSpecs): CapabilityDescription["options"] =>
  Object.entries(specs).map(([name, option]) => ({
    name,
    type: option.type,
    required: option.required,
    ...(option.default === undefined ? {} : { default: option.default }),
    description: option.description
  }))
