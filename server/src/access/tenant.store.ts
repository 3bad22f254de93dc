// The statements about organizations, tenants and their worlds.

import type { Sql, Tx } from '../db/sql.ts';

export interface MadeTenant {
  tenant_id: string;
  live_world_id: number;
  test_world_id: number;
}

/** A tenant with its two worlds and their heads, in one transaction. */
export function insertTenant(
  sql: Sql,
  tenant: { organization_id: string; tenant_id: string; name: string },
): Promise<MadeTenant> {
  return sql.begin(async (tx) => {
    await tx`insert into tenants (tenant_id, organization_id, name)
      values (${tenant.tenant_id}, ${tenant.organization_id}, ${tenant.name})`;
    const worlds = await tx<{ world_id: number; world: string }[]>`
      insert into worlds (tenant_id, world) values (${tenant.tenant_id}, 'live'), (${tenant.tenant_id}, 'test')
      returning world_id, world`;
    await tx`insert into heads (world_id) select unnest(${worlds.map((world) => world.world_id)}::int[])`;
    const idOf = (name: string) => worlds.find((world) => world.world === name)?.world_id ?? 0;
    return { tenant_id: tenant.tenant_id, live_world_id: idOf('live'), test_world_id: idOf('test') };
  }) as Promise<MadeTenant>;
}

export function insertOrganization(sql: Sql | Tx, organization: { organization_id: string; name: string }) {
  return sql`insert into organizations (organization_id, name) values (${organization.organization_id}, ${organization.name})`;
}

export async function findFirstOrganization(sql: Sql): Promise<string | null> {
  const [row] = await sql<{ organization_id: string }[]>`
    select organization_id from organizations order by created_at, organization_id limit 1`;
  return row?.organization_id ?? null;
}

export interface TenantRow {
  tenant_id: string;
  name: string;
  live_world_id: number;
  test_world_id: number;
}

export function listTenants(sql: Sql): Promise<TenantRow[]> {
  return sql<TenantRow[]>`
    select t.tenant_id, t.name, l.world_id as live_world_id, s.world_id as test_world_id
    from tenants t
    join worlds l on l.tenant_id = t.tenant_id and l.world = 'live'
    join worlds s on s.tenant_id = t.tenant_id and s.world = 'test'
    order by t.created_at, t.tenant_id`;
}
