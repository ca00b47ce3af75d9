package nextclick;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.TableFunctionRegistry$;
import org.apache.spark.sql.catalyst.analysis.UnresolvedRelation;
import org.apache.spark.sql.catalyst.analysis.UnresolvedTableOrView;
import org.apache.spark.sql.catalyst.analysis.UnresolvedTableValuedFunction;
import org.apache.spark.sql.catalyst.parser.ParserInterface;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.command.ExplainCommand;
import org.apache.spark.sql.internal.SQLConf;

/**
 * Puts itself before a session's parser: a statement is a query of the views that are shown, or it is refused. It looks at what is
 * parsed, so a view's own text, which Spark reads by another method, may name what a client may not.
 */
public class ReadOnly extends scala.runtime.AbstractFunction2 {
    /** The schemas that are shown. In others, such as `delta` and `text`, the name of a table is the path of a file. */
    public static volatile Set schemas;

    /** What queries are parsed into. All else is refused, such as TRANSFORM, which starts programs, and names that are computed. */
    static final Set QUERY = names(new String[] {
        "Project", "Filter", "Aggregate", "Sort", "GlobalLimit", "LocalLimit", "LimitAll", "Offset", "Tail", "Distinct", "Deduplicate",
        "Union", "Except", "Intersect", "Join", "AsOfJoin", "LateralJoin", "SubqueryAlias", "Generate", "Pivot", "Unpivot", "Sample", "Window",
        "WithWindowDefinition", "LocalRelation", "OneRowRelation", "RepartitionByExpression", "UnresolvedHaving", "UnresolvedHint",
        "UnresolvedInlineTable", "UnresolvedQualify", "UnresolvedRelation", "UnresolvedSubqueryColumnAliases",
        "UnresolvedTableValuedFunction", "UnresolvedTVFAliases", "UnresolvedWith"});
    /** What tools ask before they query; it changes nothing but the connection's own database. */
    static final Set ABOUT = names(new String[] {
        "DescribeColumn", "DescribeFunction", "DescribeNamespace", "DescribeRelation", "SetCatalogAndNamespace", "SetNamespaceCommand",
        "ShowCatalogsCommand", "ShowColumns", "ShowCurrentNamespaceCommand", "ShowFunctions", "ShowNamespacesCommand", "ShowTables",
        "ShowViews"});

    static Set names(String[] names) {
        return new HashSet(Arrays.asList(names));
    }

    public Object apply(final Object session, final Object parser) {
        return Proxy.newProxyInstance(ParserInterface.class.getClassLoader(), new Class[] {ParserInterface.class}, new InvocationHandler() {
            public Object invoke(Object proxy, Method method, Object[] words) throws Throwable {
                boolean statement = method.getName().startsWith("parsePlan");
                if (statement) {
                    ReadOnly.reset((SparkSession) session);
                }
                try {
                    Object parsed = method.invoke(parser, words);
                    if (statement) {
                        ReadOnly.check((LogicalPlan) parsed);
                    }
                    return parsed;
                } catch (InvocationTargetException failure) {
                    throw failure.getCause();
                }
            }
        });
    }

    /** The address of a connection can set any property, such as a catalog that reads and writes elsewhere: none of it counts. */
    static void reset(SparkSession session) {
        SQLConf conf = session.sessionState().conf();
        for (scala.collection.Iterator each = conf.getAllConfs().iterator(); each.hasNext();) {
            scala.Tuple2 entry = (scala.Tuple2) each.next();
            String key = (String) entry._1();
            String ours = session.sparkContext().conf().get(key, null);
            if (ours == null) {
                conf.unsetConf(key);
            } else if (!ours.equals(entry._2())) {
                conf.setConfString(key, ours);
            }
        }
    }

    static void check(LogicalPlan plan) {
        String name = plan.getClass().getSimpleName().replace("$", "");
        if (plan instanceof ExplainCommand) {
            check(((ExplainCommand) plan).logicalPlan());
        } else if (plan instanceof UnresolvedTableOrView) {
            checkTable(((UnresolvedTableOrView) plan).multipartIdentifier());
        } else if (ABOUT.contains(name)) {
            for (scala.collection.Iterator each = plan.children().iterator(); each.hasNext();) {
                Object child = each.next();
                if (child instanceof UnresolvedTableOrView) {
                    check((LogicalPlan) child);
                }
            }
        } else if (QUERY.contains(name)) {
            checkQuery(plan);
        } else {
            throw new UnsupportedOperationException("This server answers queries alone, and this is none (" + name + ").");
        }
    }

    static void checkQuery(LogicalPlan plan) {
        if (plan instanceof UnresolvedRelation) {
            checkTable(((UnresolvedRelation) plan).multipartIdentifier());
        } else if (plan instanceof UnresolvedTableValuedFunction) {
            checkFunction((String) ((UnresolvedTableValuedFunction) plan).name().last());
        }
        checkAll(plan.children());
        checkAll(plan.innerChildren());
        checkAll(plan.subqueries());
    }

    static void checkAll(scala.collection.Seq plans) {
        for (scala.collection.Iterator each = plans.iterator(); each.hasNext();) {
            Object plan = each.next();
            if (plan instanceof LogicalPlan) {
                check((LogicalPlan) plan);
            }
        }
    }

    static void checkTable(scala.collection.Seq parts) {
        if (parts.length() > 1) {
            String schema = (String) parts.apply(parts.length() - 2);
            if (!schemas.contains(schema.toLowerCase(java.util.Locale.ROOT))) {
                throw new UnsupportedOperationException("This server has no schema " + schema + ".");
            }
        }
    }

    /** Delta's own functions open tables by their paths. */
    static void checkFunction(String name) {
        if (!TableFunctionRegistry$.MODULE$.builtin().functionExists(new FunctionIdentifier(name.toLowerCase(java.util.Locale.ROOT)))) {
            throw new UnsupportedOperationException("This server has no function " + name + " that makes a table.");
        }
    }
}
