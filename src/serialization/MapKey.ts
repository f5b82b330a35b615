/**
 * Whether a map with this key may be a plain object.
 *
 * Not so for `__proto__`, which assignment would take for the prototype, and for digits only, which JavaScript moves
 * to the front. A map with such a key is a `Map`. As a map key, a keyword counts as the string of its name.
 */
export const isPlainKey = (key: string): boolean => {
  const first = key.charCodeAt(0)
  // Nearly every key starts with a letter, so nearly every key ends here.
  if (first > 0x39) return first !== 0x5f || key !== "__proto__"
  if (!(first >= 0x30)) return true // also the empty key, whose first code is NaN
  for (let i = 1; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if (code < 0x30 || code > 0x39) return true
  }
  return false
}

/** Whether an object is an RTFS map in its plain form: made by `{}`, `JSON.parse` or with a null prototype. */
export const isPlainMap = (value: object): value is Record<string, unknown> => {
  const prototype = Object.getPrototypeOf(value)
  // The third case is the `Object.prototype` of another realm.
  return (
    prototype === Object.prototype
    || prototype === null
    || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty"))
  )
}
