import java.lang.reflect.Field;
import java.util.Map;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.AbstractLocalDynamoDBServerHandler;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;

/**
 * Runs DynamoDB Local on the loopback interface alone: by itself it listens on all of them, and
 * has no option against that. Run as a source file; the arguments are DynamoDB Local's own.
 *
 * <p>With -Dfanout.rollover.millis=N it closes the open shard of every stream each N ms and opens
 * a child of it, which DynamoDB Local by itself does every four hours: for tests.
 */
public final class DynamoDbLauncher {
    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(arguments);
        Server server = (Server) get(DynamoDBProxyServer.class, "server", proxy);
        for (Connector connector : server.getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        // Unlike start(), it does not survive a port that is taken.
        proxy.safeStart();
        long pause = Long.getLong("fanout.rollover.millis", 0);
        while (pause > 0) {
            Thread.sleep(pause);
            rollOver(proxy);
        }
        proxy.join();
    }

    private static void rollOver(DynamoDBProxyServer proxy) throws Exception {
        Object handler = get(DynamoDBProxyServer.class, "serverHandler", proxy);
        Object inner = get(AbstractLocalDynamoDBServerHandler.class, "primaryHandler", handler);
        Map<?, ?> databases =
                (Map<?, ?>) get(LocalDynamoDBRequestHandler.class, "dbRequestHandlers", inner);
        for (Object database : databases.values()) {
            ((AmazonDynamoDBLocal) database).triggerShardRollovers();
        }
    }

    private static Object get(Class<?> owner, String name, Object object) throws Exception {
        Field field = owner.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }
}
