/** How many things wait for somebody, by the navigation link that leads to them. */
export function useWaiting(): Record<string, number> {
  return {};
}
