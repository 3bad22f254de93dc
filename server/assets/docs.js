// Shows the document of the server that this page comes from. Nothing is asked of any other server, and keys that are
// typed in are forgotten with the page.

Scalar.createApiReference('#reference', {
  url: document.querySelector('link[rel="service-desc"]').href,
  layout: 'modern',
  theme: 'default',
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: '',
  persistAuth: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  documentDownloadType: 'direct',
  defaultOpenFirstTag: true,
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  orderSchemaPropertiesBy: 'preserve',
  orderRequiredPropertiesFirst: true,
  authentication: { preferredSecurityScheme: 'bearer' },
});
