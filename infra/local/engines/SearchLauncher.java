import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * Runs one node of OpenSearch on the loopback interface. Run as a source file with two arguments:
 * its folder, and its HTTP port.
 */
public final class SearchLauncher {
    public static void main(String[] arguments) throws Exception {
        String port = arguments[1];
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild(
                (number, settings) -> {
                    settings.put("network.host", "127.0.0.1");
                    settings.put("http.port", port);
                    settings.put("transport.port", "0");
                    // Alone: two runs on one machine would otherwise find each other and join.
                    settings.put("discovery.type", "single-node");
                    // A disk that is nearly full would make every index read-only.
                    settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
                });
        runner.build(
                OpenSearchRunner.newConfigs()
                        .clusterName("fanout")
                        .basePath(arguments[0])
                        .numOfNode(1)
                        .disableESLogger());
        Thread.currentThread().join();
    }
}
