import { ProgramTimeout, type Session, type SessionResult } from "../../host/index.ts"
import { within } from "../within.ts"
import { formTexts } from "./inputForms.ts"

export interface EvaluatingOptions {
  readonly session: Session
  readonly timeoutMs: number | undefined
  readonly maxItems: number
  readonly onItem: (item: unknown) => unknown
  /** Receives the result of each form. */
  readonly onResult: (result: SessionResult) => unknown
  /** Receives an error and lets the next form be evaluated, unless it throws. */
  readonly onError: (error: unknown) => unknown
  /** No form is begun once this is aborted. */
  readonly signal: AbortSignal
}

/** Evaluates the forms of a text one after the other. **Fails** with what `onError` throws, or where the text cannot be read. */
export const evaluateForms = async (source: string, file: string, options: EvaluatingOptions): Promise<void> => {
  const { maxItems, onError, onItem, onResult, session, signal, timeoutMs } = options
  for (const text of formTexts(source, file)) {
    if (signal.aborted) return
    try {
      const result = await within(timeoutMs, session.eval(text, { file, maxItems, onItem }), () => {
        session.cancel()
        throw new ProgramTimeout(timeoutMs!)
      })
      await onResult(result)
    } catch (error) {
      await onError(error)
    }
  }
}
