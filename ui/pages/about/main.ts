// Nothing here needs a script of its own.
export {};
