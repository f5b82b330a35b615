import type { StreamValue } from "../capabilities/index.ts"

const values = new WeakMap<object, StreamValue>()

/** The stream value behind a Flow. Kept aside, so that the types of the public API name nothing of the inside. */
export const flowValue = (flow: object): StreamValue | undefined => values.get(flow)

export const bindFlowValue = (flow: object, value: StreamValue): void => {
  values.set(flow, value)
}
