import { StreamValue } from "../capabilities/index.ts"

/** Whether a value of a program is a stream that nothing has consumed yet. A front end can't ask the capabilities itself. */
export const isStreamValue = (value: unknown): boolean => value instanceof StreamValue
