/** The roles of a workspace and what each is for. */
export const ROLES = [
  ["viewer", "reads"],
  ["contributor", "reads, tracks runs, registers models"],
  ["maintainer", "also promotes, deploys, watches, sets policy"],
  ["approver", "reads and decides promotions"],
  ["admin", "everything, and who may do what"],
] as const;

export type RoleName = (typeof ROLES)[number][0];
