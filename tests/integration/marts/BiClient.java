import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** What a BI tool does over JDBC: ask the metadata, read every mart, and be told no. Prints tab-separated facts. */
class BiClient {
    public static void main(String[] arguments) throws SQLException {
        Properties login = new Properties();
        login.setProperty("user", "bi_reader");
        login.setProperty("password", arguments[1]);
        try (Connection connection = DriverManager.getConnection(arguments[0], login)) {
            describe(connection);
            for (int index = 2; index < arguments.length; index++) {
                attempt(connection, arguments[index]);
            }
        }
    }

    static void describe(Connection connection) throws SQLException {
        try (ResultSet tables = connection.getMetaData().getTables(null, "marts", "%", new String[] {"TABLE"})) {
            while (tables.next()) {
                print("table", tables.getString("TABLE_NAME"), tables.getString("REMARKS"));
            }
        }
        try (ResultSet columns = connection.getMetaData().getColumns(null, "marts", "%", "%")) {
            while (columns.next()) {
                print("column", columns.getString("TABLE_NAME"), columns.getString("COLUMN_NAME"), columns.getString("REMARKS"));
            }
        }
    }

    static void attempt(Connection connection, String sql) {
        try (Statement statement = connection.createStatement()) {
            int rows = 0;
            if (statement.execute(sql)) {
                try (ResultSet result = statement.getResultSet()) {
                    while (result.next()) {
                        rows++;
                    }
                }
            }
            print("answered", sql, String.valueOf(rows));
        } catch (SQLException error) {
            print("refused", sql, error.getSQLState());
        }
    }

    static void print(String... fields) {
        StringBuilder line = new StringBuilder();
        for (String field : fields) {
            line.append(line.length() == 0 ? "" : "\t").append(field == null ? "" : field.replaceAll("\\s+", " "));
        }
        System.out.println(line);
    }
}
