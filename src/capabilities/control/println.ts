import { defineControl } from "../Capability.ts"

export const println = defineControl({
  id: "ccos.io.println",
  summary: "Prints its arguments on one line, strings as they are, with spaces between them.",
  spec: "prelude",
  arguments: ["value …"],
  effects: [":print"],
  notes: ["`(println …)` is the prelude's wrapper for it. The line goes to the host, which decides where it is shown."],
  example: '(call :ccos.io.println "total:" 3)',
  perform: (values, context) => {
    const printed = context.print(values.map((value) => context.show(value)).join(" "))
    return printed instanceof Promise ? printed.then(() => null) : null
  }
})
