/** Whether a text can stand between two CSV fields. */
export const isSeparator = (separator: string): boolean => separator.length === 1 && /[^"\r\n\u0080-\uffff]/.test(separator)
